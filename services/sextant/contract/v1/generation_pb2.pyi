from sextant.contract.v1 import guide_pb2 as _guide_pb2
from sextant.contract.v1 import media_pb2 as _media_pb2
from sextant.contract.v1 import models_pb2 as _models_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_SYSTEM: _ClassVar[Role]
    ROLE_USER: _ClassVar[Role]
    ROLE_ASSISTANT: _ClassVar[Role]

class DiffusionSampler(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIFFUSION_SAMPLER_UNSPECIFIED: _ClassVar[DiffusionSampler]
    DIFFUSION_SAMPLER_DDPM: _ClassVar[DiffusionSampler]
    DIFFUSION_SAMPLER_DDIM: _ClassVar[DiffusionSampler]
    DIFFUSION_SAMPLER_EULER: _ClassVar[DiffusionSampler]
    DIFFUSION_SAMPLER_DPM_SOLVER_PP_2M: _ClassVar[DiffusionSampler]
    DIFFUSION_SAMPLER_LCM: _ClassVar[DiffusionSampler]
    DIFFUSION_SAMPLER_FLOW_EULER: _ClassVar[DiffusionSampler]

class InterpolationPath(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INTERPOLATION_PATH_UNSPECIFIED: _ClassVar[InterpolationPath]
    INTERPOLATION_PATH_LINEAR: _ClassVar[InterpolationPath]
    INTERPOLATION_PATH_SPHERICAL: _ClassVar[InterpolationPath]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_COMPLETE: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]
    FINISH_REASON_DEADLINE: _ClassVar[FinishReason]
ROLE_UNSPECIFIED: Role
ROLE_SYSTEM: Role
ROLE_USER: Role
ROLE_ASSISTANT: Role
DIFFUSION_SAMPLER_UNSPECIFIED: DiffusionSampler
DIFFUSION_SAMPLER_DDPM: DiffusionSampler
DIFFUSION_SAMPLER_DDIM: DiffusionSampler
DIFFUSION_SAMPLER_EULER: DiffusionSampler
DIFFUSION_SAMPLER_DPM_SOLVER_PP_2M: DiffusionSampler
DIFFUSION_SAMPLER_LCM: DiffusionSampler
DIFFUSION_SAMPLER_FLOW_EULER: DiffusionSampler
INTERPOLATION_PATH_UNSPECIFIED: InterpolationPath
INTERPOLATION_PATH_LINEAR: InterpolationPath
INTERPOLATION_PATH_SPHERICAL: InterpolationPath
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_COMPLETE: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_LENGTH: FinishReason
FINISH_REASON_DEADLINE: FinishReason

class Options(_message.Message):
    __slots__ = ("model", "priority", "guarantees", "seed", "request_id", "partial_on_deadline", "intent")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    GUARANTEES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_ON_DEADLINE_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    model: str
    priority: _guide_pb2.Priority
    guarantees: _guide_pb2.Guarantees
    seed: int
    request_id: str
    partial_on_deadline: bool
    intent: str
    def __init__(self, model: _Optional[str] = ..., priority: _Optional[_Union[_guide_pb2.Priority, str]] = ..., guarantees: _Optional[_Union[_guide_pb2.Guarantees, _Mapping]] = ..., seed: _Optional[int] = ..., request_id: _Optional[str] = ..., partial_on_deadline: _Optional[bool] = ..., intent: _Optional[str] = ...) -> None: ...

class ChatMessage(_message.Message):
    __slots__ = ("role", "content")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    role: Role
    content: str
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., content: _Optional[str] = ...) -> None: ...

class Chat(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[ChatMessage]
    def __init__(self, messages: _Optional[_Iterable[_Union[ChatMessage, _Mapping]]] = ...) -> None: ...

class Conditions(_message.Message):
    __slots__ = ("class_label", "attributes", "media")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CLASS_LABEL_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    class_label: str
    attributes: _containers.ScalarMap[str, str]
    media: _containers.RepeatedCompositeFieldContainer[_media_pb2.Media]
    def __init__(self, class_label: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ..., media: _Optional[_Iterable[_Union[_media_pb2.Media, _Mapping]]] = ...) -> None: ...

class Size(_message.Message):
    __slots__ = ("width_px", "height_px", "duration_s", "rows")
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    DURATION_S_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    width_px: int
    height_px: int
    duration_s: float
    rows: int
    def __init__(self, width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., duration_s: _Optional[float] = ..., rows: _Optional[int] = ...) -> None: ...

class Encoding(_message.Message):
    __slots__ = ("image", "audio")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    image: _media_pb2.ImageFormat
    audio: _media_pb2.AudioFormat
    def __init__(self, image: _Optional[_Union[_media_pb2.ImageFormat, str]] = ..., audio: _Optional[_Union[_media_pb2.AudioFormat, str]] = ...) -> None: ...

class TextParameters(_message.Message):
    __slots__ = ("max_tokens", "temperature", "top_k", "top_p", "min_p", "repetition_penalty", "stop", "logprobs", "ignore_end_of_text", "continue_prompt", "beams")
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    MIN_P_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    LOGPROBS_FIELD_NUMBER: _ClassVar[int]
    IGNORE_END_OF_TEXT_FIELD_NUMBER: _ClassVar[int]
    CONTINUE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    BEAMS_FIELD_NUMBER: _ClassVar[int]
    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    stop: _containers.RepeatedScalarFieldContainer[str]
    logprobs: int
    ignore_end_of_text: bool
    continue_prompt: bool
    beams: int
    def __init__(self, max_tokens: _Optional[int] = ..., temperature: _Optional[float] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ..., min_p: _Optional[float] = ..., repetition_penalty: _Optional[float] = ..., stop: _Optional[_Iterable[str]] = ..., logprobs: _Optional[int] = ..., ignore_end_of_text: _Optional[bool] = ..., continue_prompt: _Optional[bool] = ..., beams: _Optional[int] = ...) -> None: ...

class DiffusionParameters(_message.Message):
    __slots__ = ("sampler", "steps", "guidance", "eta", "preview_every_steps")
    SAMPLER_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_EVERY_STEPS_FIELD_NUMBER: _ClassVar[int]
    sampler: DiffusionSampler
    steps: int
    guidance: float
    eta: float
    preview_every_steps: int
    def __init__(self, sampler: _Optional[_Union[DiffusionSampler, str]] = ..., steps: _Optional[int] = ..., guidance: _Optional[float] = ..., eta: _Optional[float] = ..., preview_every_steps: _Optional[int] = ...) -> None: ...

class GanParameters(_message.Message):
    __slots__ = ("truncation", "mixing_layer", "inversion_steps")
    TRUNCATION_FIELD_NUMBER: _ClassVar[int]
    MIXING_LAYER_FIELD_NUMBER: _ClassVar[int]
    INVERSION_STEPS_FIELD_NUMBER: _ClassVar[int]
    truncation: float
    mixing_layer: int
    inversion_steps: int
    def __init__(self, truncation: _Optional[float] = ..., mixing_layer: _Optional[int] = ..., inversion_steps: _Optional[int] = ...) -> None: ...

class VaeParameters(_message.Message):
    __slots__ = ("temperature", "importance_samples")
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    IMPORTANCE_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    importance_samples: int
    def __init__(self, temperature: _Optional[float] = ..., importance_samples: _Optional[int] = ...) -> None: ...

class FlowParameters(_message.Message):
    __slots__ = ("temperature",)
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    def __init__(self, temperature: _Optional[float] = ...) -> None: ...

class AutoregressiveParameters(_message.Message):
    __slots__ = ("temperature", "top_p")
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    top_p: float
    def __init__(self, temperature: _Optional[float] = ..., top_p: _Optional[float] = ...) -> None: ...

class CodeParameters(_message.Message):
    __slots__ = ("temperature", "top_k", "top_p", "guidance", "preview_every_steps")
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_EVERY_STEPS_FIELD_NUMBER: _ClassVar[int]
    temperature: float
    top_k: int
    top_p: float
    guidance: float
    preview_every_steps: int
    def __init__(self, temperature: _Optional[float] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ..., guidance: _Optional[float] = ..., preview_every_steps: _Optional[int] = ...) -> None: ...

class HybridParameters(_message.Message):
    __slots__ = ("stages",)
    class StagesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: StageParameters
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[StageParameters, _Mapping]] = ...) -> None: ...
    STAGES_FIELD_NUMBER: _ClassVar[int]
    stages: _containers.MessageMap[str, StageParameters]
    def __init__(self, stages: _Optional[_Mapping[str, StageParameters]] = ...) -> None: ...

class StageParameters(_message.Message):
    __slots__ = ("text", "diffusion", "gan", "vae", "flow", "autoregressive", "codes")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DIFFUSION_FIELD_NUMBER: _ClassVar[int]
    GAN_FIELD_NUMBER: _ClassVar[int]
    VAE_FIELD_NUMBER: _ClassVar[int]
    FLOW_FIELD_NUMBER: _ClassVar[int]
    AUTOREGRESSIVE_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    text: TextParameters
    diffusion: DiffusionParameters
    gan: GanParameters
    vae: VaeParameters
    flow: FlowParameters
    autoregressive: AutoregressiveParameters
    codes: CodeParameters
    def __init__(self, text: _Optional[_Union[TextParameters, _Mapping]] = ..., diffusion: _Optional[_Union[DiffusionParameters, _Mapping]] = ..., gan: _Optional[_Union[GanParameters, _Mapping]] = ..., vae: _Optional[_Union[VaeParameters, _Mapping]] = ..., flow: _Optional[_Union[FlowParameters, _Mapping]] = ..., autoregressive: _Optional[_Union[AutoregressiveParameters, _Mapping]] = ..., codes: _Optional[_Union[CodeParameters, _Mapping]] = ...) -> None: ...

class GenerateRequest(_message.Message):
    __slots__ = ("options", "output", "prompt", "chat", "conditions", "size", "count", "encoding", "text", "diffusion", "gan", "vae", "flow", "autoregressive", "hybrid", "codes")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DIFFUSION_FIELD_NUMBER: _ClassVar[int]
    GAN_FIELD_NUMBER: _ClassVar[int]
    VAE_FIELD_NUMBER: _ClassVar[int]
    FLOW_FIELD_NUMBER: _ClassVar[int]
    AUTOREGRESSIVE_FIELD_NUMBER: _ClassVar[int]
    HYBRID_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    options: Options
    output: _media_pb2.Modality
    prompt: str
    chat: Chat
    conditions: Conditions
    size: Size
    count: int
    encoding: Encoding
    text: TextParameters
    diffusion: DiffusionParameters
    gan: GanParameters
    vae: VaeParameters
    flow: FlowParameters
    autoregressive: AutoregressiveParameters
    hybrid: HybridParameters
    codes: CodeParameters
    def __init__(self, options: _Optional[_Union[Options, _Mapping]] = ..., output: _Optional[_Union[_media_pb2.Modality, str]] = ..., prompt: _Optional[str] = ..., chat: _Optional[_Union[Chat, _Mapping]] = ..., conditions: _Optional[_Union[Conditions, _Mapping]] = ..., size: _Optional[_Union[Size, _Mapping]] = ..., count: _Optional[int] = ..., encoding: _Optional[_Union[Encoding, _Mapping]] = ..., text: _Optional[_Union[TextParameters, _Mapping]] = ..., diffusion: _Optional[_Union[DiffusionParameters, _Mapping]] = ..., gan: _Optional[_Union[GanParameters, _Mapping]] = ..., vae: _Optional[_Union[VaeParameters, _Mapping]] = ..., flow: _Optional[_Union[FlowParameters, _Mapping]] = ..., autoregressive: _Optional[_Union[AutoregressiveParameters, _Mapping]] = ..., hybrid: _Optional[_Union[HybridParameters, _Mapping]] = ..., codes: _Optional[_Union[CodeParameters, _Mapping]] = ...) -> None: ...

class FillMaskParameters(_message.Message):
    __slots__ = ("candidates",)
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    candidates: int
    def __init__(self, candidates: _Optional[int] = ...) -> None: ...

class TransformRequest(_message.Message):
    __slots__ = ("options", "source", "prompt", "conditions", "mask", "strength", "count", "encoding", "fill_mask", "diffusion", "gan", "autoregressive", "hybrid", "codes")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    FILL_MASK_FIELD_NUMBER: _ClassVar[int]
    DIFFUSION_FIELD_NUMBER: _ClassVar[int]
    GAN_FIELD_NUMBER: _ClassVar[int]
    AUTOREGRESSIVE_FIELD_NUMBER: _ClassVar[int]
    HYBRID_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    options: Options
    source: _media_pb2.Media
    prompt: str
    conditions: Conditions
    mask: _media_pb2.Image
    strength: float
    count: int
    encoding: Encoding
    fill_mask: FillMaskParameters
    diffusion: DiffusionParameters
    gan: GanParameters
    autoregressive: AutoregressiveParameters
    hybrid: HybridParameters
    codes: CodeParameters
    def __init__(self, options: _Optional[_Union[Options, _Mapping]] = ..., source: _Optional[_Union[_media_pb2.Media, _Mapping]] = ..., prompt: _Optional[str] = ..., conditions: _Optional[_Union[Conditions, _Mapping]] = ..., mask: _Optional[_Union[_media_pb2.Image, _Mapping]] = ..., strength: _Optional[float] = ..., count: _Optional[int] = ..., encoding: _Optional[_Union[Encoding, _Mapping]] = ..., fill_mask: _Optional[_Union[FillMaskParameters, _Mapping]] = ..., diffusion: _Optional[_Union[DiffusionParameters, _Mapping]] = ..., gan: _Optional[_Union[GanParameters, _Mapping]] = ..., autoregressive: _Optional[_Union[AutoregressiveParameters, _Mapping]] = ..., hybrid: _Optional[_Union[HybridParameters, _Mapping]] = ..., codes: _Optional[_Union[CodeParameters, _Mapping]] = ...) -> None: ...

class InterpolateRequest(_message.Message):
    __slots__ = ("options", "start", "end", "frames", "path", "traverse_index", "conditions", "encoding")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    TRAVERSE_INDEX_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    options: Options
    start: _media_pb2.Media
    end: _media_pb2.Media
    frames: int
    path: InterpolationPath
    traverse_index: int
    conditions: Conditions
    encoding: Encoding
    def __init__(self, options: _Optional[_Union[Options, _Mapping]] = ..., start: _Optional[_Union[_media_pb2.Media, _Mapping]] = ..., end: _Optional[_Union[_media_pb2.Media, _Mapping]] = ..., frames: _Optional[int] = ..., path: _Optional[_Union[InterpolationPath, str]] = ..., traverse_index: _Optional[int] = ..., conditions: _Optional[_Union[Conditions, _Mapping]] = ..., encoding: _Optional[_Union[Encoding, _Mapping]] = ...) -> None: ...

class EncodeRequest(_message.Message):
    __slots__ = ("options", "items", "conditions", "gan")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    GAN_FIELD_NUMBER: _ClassVar[int]
    options: Options
    items: _containers.RepeatedCompositeFieldContainer[_media_pb2.Media]
    conditions: Conditions
    gan: GanParameters
    def __init__(self, options: _Optional[_Union[Options, _Mapping]] = ..., items: _Optional[_Iterable[_Union[_media_pb2.Media, _Mapping]]] = ..., conditions: _Optional[_Union[Conditions, _Mapping]] = ..., gan: _Optional[_Union[GanParameters, _Mapping]] = ...) -> None: ...

class EncodeResponse(_message.Message):
    __slots__ = ("latents", "receipt")
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    latents: _containers.RepeatedCompositeFieldContainer[_media_pb2.Latent]
    receipt: Receipt
    def __init__(self, latents: _Optional[_Iterable[_Union[_media_pb2.Latent, _Mapping]]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class DecodeRequest(_message.Message):
    __slots__ = ("options", "latents", "conditions", "encoding")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    options: Options
    latents: _containers.RepeatedCompositeFieldContainer[_media_pb2.Latent]
    conditions: Conditions
    encoding: Encoding
    def __init__(self, options: _Optional[_Union[Options, _Mapping]] = ..., latents: _Optional[_Iterable[_Union[_media_pb2.Latent, _Mapping]]] = ..., conditions: _Optional[_Union[Conditions, _Mapping]] = ..., encoding: _Optional[_Union[Encoding, _Mapping]] = ...) -> None: ...

class DecodeResponse(_message.Message):
    __slots__ = ("items", "receipt")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[_media_pb2.Media]
    receipt: Receipt
    def __init__(self, items: _Optional[_Iterable[_Union[_media_pb2.Media, _Mapping]]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class ScoreRequest(_message.Message):
    __slots__ = ("options", "items", "context", "conditions", "vae", "diffusion")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    VAE_FIELD_NUMBER: _ClassVar[int]
    DIFFUSION_FIELD_NUMBER: _ClassVar[int]
    options: Options
    items: _containers.RepeatedCompositeFieldContainer[_media_pb2.Media]
    context: str
    conditions: Conditions
    vae: VaeParameters
    diffusion: DiffusionParameters
    def __init__(self, options: _Optional[_Union[Options, _Mapping]] = ..., items: _Optional[_Iterable[_Union[_media_pb2.Media, _Mapping]]] = ..., context: _Optional[str] = ..., conditions: _Optional[_Union[Conditions, _Mapping]] = ..., vae: _Optional[_Union[VaeParameters, _Mapping]] = ..., diffusion: _Optional[_Union[DiffusionParameters, _Mapping]] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("likelihoods", "receipt")
    LIKELIHOODS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    likelihoods: _containers.RepeatedCompositeFieldContainer[Likelihood]
    receipt: Receipt
    def __init__(self, likelihoods: _Optional[_Iterable[_Union[Likelihood, _Mapping]]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class Likelihood(_message.Message):
    __slots__ = ("log_likelihood_nats", "bits_per_dimension", "dimensions", "estimator", "standard_error_nats", "tokens")
    LOG_LIKELIHOOD_NATS_FIELD_NUMBER: _ClassVar[int]
    BITS_PER_DIMENSION_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATOR_FIELD_NUMBER: _ClassVar[int]
    STANDARD_ERROR_NATS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    log_likelihood_nats: float
    bits_per_dimension: float
    dimensions: int
    estimator: _models_pb2.Estimator
    standard_error_nats: float
    tokens: _containers.RepeatedCompositeFieldContainer[TokenLogProb]
    def __init__(self, log_likelihood_nats: _Optional[float] = ..., bits_per_dimension: _Optional[float] = ..., dimensions: _Optional[int] = ..., estimator: _Optional[_Union[_models_pb2.Estimator, str]] = ..., standard_error_nats: _Optional[float] = ..., tokens: _Optional[_Iterable[_Union[TokenLogProb, _Mapping]]] = ...) -> None: ...

class GenerateEvent(_message.Message):
    __slots__ = ("sequence", "accepted", "progress", "chunk", "result", "receipt")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    accepted: Accepted
    progress: Progress
    chunk: Chunk
    result: Result
    receipt: Receipt
    def __init__(self, sequence: _Optional[int] = ..., accepted: _Optional[_Union[Accepted, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("request_id", "decision", "seed")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    decision: _guide_pb2.Decision
    seed: int
    def __init__(self, request_id: _Optional[str] = ..., decision: _Optional[_Union[_guide_pb2.Decision, _Mapping]] = ..., seed: _Optional[int] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("item", "step", "total_steps", "preview")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    item: int
    step: int
    total_steps: int
    preview: _media_pb2.Media
    def __init__(self, item: _Optional[int] = ..., step: _Optional[int] = ..., total_steps: _Optional[int] = ..., preview: _Optional[_Union[_media_pb2.Media, _Mapping]] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("item", "text", "audio")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    item: int
    text: TextDelta
    audio: _media_pb2.Audio
    def __init__(self, item: _Optional[int] = ..., text: _Optional[_Union[TextDelta, _Mapping]] = ..., audio: _Optional[_Union[_media_pb2.Audio, _Mapping]] = ...) -> None: ...

class TextDelta(_message.Message):
    __slots__ = ("content", "tokens")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    content: str
    tokens: _containers.RepeatedCompositeFieldContainer[TokenLogProb]
    def __init__(self, content: _Optional[str] = ..., tokens: _Optional[_Iterable[_Union[TokenLogProb, _Mapping]]] = ...) -> None: ...

class TokenLogProb(_message.Message):
    __slots__ = ("token_id", "token", "logprob_nats", "alternatives")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_NATS_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVES_FIELD_NUMBER: _ClassVar[int]
    token_id: int
    token: bytes
    logprob_nats: float
    alternatives: _containers.RepeatedCompositeFieldContainer[TokenAlternative]
    def __init__(self, token_id: _Optional[int] = ..., token: _Optional[bytes] = ..., logprob_nats: _Optional[float] = ..., alternatives: _Optional[_Iterable[_Union[TokenAlternative, _Mapping]]] = ...) -> None: ...

class TokenAlternative(_message.Message):
    __slots__ = ("token_id", "token", "logprob_nats")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    LOGPROB_NATS_FIELD_NUMBER: _ClassVar[int]
    token_id: int
    token: bytes
    logprob_nats: float
    def __init__(self, token_id: _Optional[int] = ..., token: _Optional[bytes] = ..., logprob_nats: _Optional[float] = ...) -> None: ...

class MaskFill(_message.Message):
    __slots__ = ("candidates",)
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    candidates: _containers.RepeatedCompositeFieldContainer[TokenAlternative]
    def __init__(self, candidates: _Optional[_Iterable[_Union[TokenAlternative, _Mapping]]] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("item", "media", "finish_reason", "fills")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    FILLS_FIELD_NUMBER: _ClassVar[int]
    item: int
    media: _media_pb2.Media
    finish_reason: FinishReason
    fills: _containers.RepeatedCompositeFieldContainer[MaskFill]
    def __init__(self, item: _Optional[int] = ..., media: _Optional[_Union[_media_pb2.Media, _Mapping]] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., fills: _Optional[_Iterable[_Union[MaskFill, _Mapping]]] = ...) -> None: ...

class ItemReceipt(_message.Message):
    __slots__ = ("sha256", "steps", "prompt_tokens", "generated_tokens", "finish_reason")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    GENERATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    sha256: bytes
    steps: int
    prompt_tokens: int
    generated_tokens: int
    finish_reason: FinishReason
    def __init__(self, sha256: _Optional[bytes] = ..., steps: _Optional[int] = ..., prompt_tokens: _Optional[int] = ..., generated_tokens: _Optional[int] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ...) -> None: ...

class StageReceipt(_message.Message):
    __slots__ = ("stage", "model", "family", "version", "bundle_digest", "provider", "steps", "onnxruntime_version")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    ONNXRUNTIME_VERSION_FIELD_NUMBER: _ClassVar[int]
    stage: str
    model: str
    family: _models_pb2.Family
    version: str
    bundle_digest: str
    provider: str
    steps: int
    onnxruntime_version: str
    def __init__(self, stage: _Optional[str] = ..., model: _Optional[str] = ..., family: _Optional[_Union[_models_pb2.Family, str]] = ..., version: _Optional[str] = ..., bundle_digest: _Optional[str] = ..., provider: _Optional[str] = ..., steps: _Optional[int] = ..., onnxruntime_version: _Optional[str] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("request_id", "model", "family", "version", "bundle_digest", "seed", "provider", "onnxruntime_version", "sextant_version", "items", "queue_s", "first_event_s", "total_s", "retries", "decision", "tier", "stages", "numpy_version", "processor")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ONNXRUNTIME_VERSION_FIELD_NUMBER: _ClassVar[int]
    SEXTANT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_S_FIELD_NUMBER: _ClassVar[int]
    FIRST_EVENT_S_FIELD_NUMBER: _ClassVar[int]
    TOTAL_S_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    NUMPY_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROCESSOR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    model: str
    family: _models_pb2.Family
    version: str
    bundle_digest: str
    seed: int
    provider: str
    onnxruntime_version: str
    sextant_version: str
    items: _containers.RepeatedCompositeFieldContainer[ItemReceipt]
    queue_s: float
    first_event_s: float
    total_s: float
    retries: int
    decision: _guide_pb2.Decision
    tier: _guide_pb2.Tier
    stages: _containers.RepeatedCompositeFieldContainer[StageReceipt]
    numpy_version: str
    processor: str
    def __init__(self, request_id: _Optional[str] = ..., model: _Optional[str] = ..., family: _Optional[_Union[_models_pb2.Family, str]] = ..., version: _Optional[str] = ..., bundle_digest: _Optional[str] = ..., seed: _Optional[int] = ..., provider: _Optional[str] = ..., onnxruntime_version: _Optional[str] = ..., sextant_version: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ItemReceipt, _Mapping]]] = ..., queue_s: _Optional[float] = ..., first_event_s: _Optional[float] = ..., total_s: _Optional[float] = ..., retries: _Optional[int] = ..., decision: _Optional[_Union[_guide_pb2.Decision, _Mapping]] = ..., tier: _Optional[_Union[_guide_pb2.Tier, _Mapping]] = ..., stages: _Optional[_Iterable[_Union[StageReceipt, _Mapping]]] = ..., numpy_version: _Optional[str] = ..., processor: _Optional[str] = ...) -> None: ...
