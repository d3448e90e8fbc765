"""The enums of the contract beside those used inside: every pair once, read in both directions."""

from typing import Any, TypeVar

import numpy as np

from sextant.contract.codecs import AudioFormat, ImageFormat
from sextant.contract.events import Estimator, FinishReason
from sextant.contract.media import Modality
from sextant.contract.tasks import DiffusionSampler, InterpolationPath, Role, TaskKind
from sextant.contract.v1 import generation_pb2, media_pb2, models_pb2

Inside = TypeVar("Inside")
Wire = TypeVar("Wire")


def _reversed(table: dict[Inside, Wire]) -> dict[Wire, Inside]:
    return {wire: inside for inside, wire in table.items()}


FAMILY_BY_NAME = {
    "transformer": models_pb2.FAMILY_TRANSFORMER,
    "gan": models_pb2.FAMILY_GAN,
    "vae": models_pb2.FAMILY_VAE,
    "diffusion": models_pb2.FAMILY_DIFFUSION,
    "autoregressive": models_pb2.FAMILY_AUTOREGRESSIVE,
    "flow": models_pb2.FAMILY_FLOW,
    "hybrid": models_pb2.FAMILY_HYBRID,
}
NAME_OF_FAMILY = _reversed(FAMILY_BY_NAME)

TASK_KIND_TO_WIRE = {
    TaskKind.GENERATE: models_pb2.TASK_KIND_GENERATE,
    TaskKind.TRANSFORM: models_pb2.TASK_KIND_TRANSFORM,
    TaskKind.INTERPOLATE: models_pb2.TASK_KIND_INTERPOLATE,
    TaskKind.ENCODE: models_pb2.TASK_KIND_ENCODE,
    TaskKind.DECODE: models_pb2.TASK_KIND_DECODE,
    TaskKind.SCORE: models_pb2.TASK_KIND_SCORE,
}
TASK_KIND_FROM_WIRE = _reversed(TASK_KIND_TO_WIRE)

MODALITY_TO_WIRE = {
    Modality.TEXT: media_pb2.MODALITY_TEXT,
    Modality.IMAGE: media_pb2.MODALITY_IMAGE,
    Modality.AUDIO: media_pb2.MODALITY_AUDIO,
    Modality.MUSIC: media_pb2.MODALITY_MUSIC,
    Modality.TABLE: media_pb2.MODALITY_TABLE,
    Modality.LATENT: media_pb2.MODALITY_LATENT,
    Modality.TENSOR: media_pb2.MODALITY_TENSOR,
}
MODALITY_FROM_WIRE = _reversed(MODALITY_TO_WIRE)

ESTIMATOR_TO_WIRE = {
    Estimator.EXACT: models_pb2.ESTIMATOR_EXACT,
    Estimator.LOWER_BOUND: models_pb2.ESTIMATOR_LOWER_BOUND,
    Estimator.ESTIMATE: models_pb2.ESTIMATOR_ESTIMATE,
}
ESTIMATOR_FROM_WIRE = _reversed(ESTIMATOR_TO_WIRE)

FINISH_REASON_TO_WIRE = {
    FinishReason.COMPLETE: generation_pb2.FINISH_REASON_COMPLETE,
    FinishReason.STOP: generation_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: generation_pb2.FINISH_REASON_LENGTH,
    FinishReason.DEADLINE: generation_pb2.FINISH_REASON_DEADLINE,
}
FINISH_REASON_FROM_WIRE = _reversed(FINISH_REASON_TO_WIRE)

ROLE_TO_WIRE = {
    Role.SYSTEM: generation_pb2.ROLE_SYSTEM,
    Role.USER: generation_pb2.ROLE_USER,
    Role.ASSISTANT: generation_pb2.ROLE_ASSISTANT,
}
ROLE_FROM_WIRE = _reversed(ROLE_TO_WIRE)

INTERPOLATION_PATH_TO_WIRE = {
    InterpolationPath.LINEAR: generation_pb2.INTERPOLATION_PATH_LINEAR,
    InterpolationPath.SPHERICAL: generation_pb2.INTERPOLATION_PATH_SPHERICAL,
}
INTERPOLATION_PATH_FROM_WIRE = _reversed(INTERPOLATION_PATH_TO_WIRE)

DIFFUSION_SAMPLER_TO_WIRE = {
    DiffusionSampler.DDPM: generation_pb2.DIFFUSION_SAMPLER_DDPM,
    DiffusionSampler.DDIM: generation_pb2.DIFFUSION_SAMPLER_DDIM,
    DiffusionSampler.EULER: generation_pb2.DIFFUSION_SAMPLER_EULER,
    DiffusionSampler.DPM_SOLVER_PP_2M: generation_pb2.DIFFUSION_SAMPLER_DPM_SOLVER_PP_2M,
    DiffusionSampler.LCM: generation_pb2.DIFFUSION_SAMPLER_LCM,
    DiffusionSampler.FLOW_EULER: generation_pb2.DIFFUSION_SAMPLER_FLOW_EULER,
}
DIFFUSION_SAMPLER_FROM_WIRE = _reversed(DIFFUSION_SAMPLER_TO_WIRE)

IMAGE_FORMAT_TO_WIRE = {
    ImageFormat.PNG: media_pb2.IMAGE_FORMAT_PNG,
    ImageFormat.WEBP: media_pb2.IMAGE_FORMAT_WEBP,
    ImageFormat.JPEG: media_pb2.IMAGE_FORMAT_JPEG,
    ImageFormat.RAW_UINT8: media_pb2.IMAGE_FORMAT_RAW_UINT8,
}
IMAGE_FORMAT_FROM_WIRE = _reversed(IMAGE_FORMAT_TO_WIRE)

AUDIO_FORMAT_TO_WIRE = {
    AudioFormat.WAV: media_pb2.AUDIO_FORMAT_WAV,
    AudioFormat.FLAC: media_pb2.AUDIO_FORMAT_FLAC,
    AudioFormat.PCM_S16LE: media_pb2.AUDIO_FORMAT_PCM_S16LE,
}
AUDIO_FORMAT_FROM_WIRE = _reversed(AUDIO_FORMAT_TO_WIRE)

# Element types as NumPy's, little-endian as on the wire.
ELEMENT_TYPE_TO_WIRE: dict[np.dtype[Any], media_pb2.ElementType] = {
    np.dtype("<f4"): media_pb2.ELEMENT_TYPE_FLOAT32,
    np.dtype("<f8"): media_pb2.ELEMENT_TYPE_FLOAT64,
    np.dtype("<f2"): media_pb2.ELEMENT_TYPE_FLOAT16,
    np.dtype("<i4"): media_pb2.ELEMENT_TYPE_INT32,
    np.dtype("<i8"): media_pb2.ELEMENT_TYPE_INT64,
    np.dtype("u1"): media_pb2.ELEMENT_TYPE_UINT8,
}
ELEMENT_TYPE_FROM_WIRE = _reversed(ELEMENT_TYPE_TO_WIRE)
