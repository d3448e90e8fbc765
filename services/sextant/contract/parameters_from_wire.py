"""The family's own parameters of a request. Their ranges are in `ranges`; the rest of their rules are here."""

from typing import Any

from google.protobuf.message import Message

from sextant.contract.options import AnyRequest
from sextant.contract.tasks import (
    AutoregressiveParameters,
    CodeParameters,
    DiffusionParameters,
    FillMaskParameters,
    FlowParameters,
    GanParameters,
    HybridParameters,
    Parameters,
    StageParameters,
    TextParameters,
    VaeParameters,
)
from sextant.contract.v1 import generation_pb2
from sextant.contract.violations import Violations, quoted
from sextant.contract.wire_enums import DIFFUSION_SAMPLER_FROM_WIRE

MOST_STOPS = 16
LONGEST_STOP_BYTES = 256
_DEFAULT_CANDIDATES = 5

# Parameters are named for their family, except where a family has several kinds.
_FAMILY_OF_PARAMETERS = {"text": "transformer", "fill_mask": "transformer", "codes": "transformer"}


def parameters_family(message: AnyRequest) -> str | None:
    """The family whose parameters the request carries; None where it carries none."""
    name = _parameters_name(message)
    return None if name is None else _FAMILY_OF_PARAMETERS.get(name, name)


def read_parameters(message: AnyRequest, found: Violations) -> Parameters | None:
    """The parameters as a dataclass of `tasks`; adds what is wrong."""
    name = _parameters_name(message)
    if name is None:
        return None
    parameters: Message = getattr(message, name)
    if isinstance(parameters, generation_pb2.HybridParameters):
        return _read_stages(parameters, name, found)
    return _read_stage(parameters, name, found)


def _read_stages(message: generation_pb2.HybridParameters, path: str, found: Violations) -> HybridParameters:
    stages = {}
    for stage in sorted(message.stages):
        given = message.stages[stage]
        kind = given.WhichOneof("parameters")
        read = None
        if kind is not None:
            read = _read_stage(getattr(given, kind), f"{path}.stages[{quoted(stage)}].{kind}", found)
        if read is not None:
            stages[stage] = read
    return HybridParameters(stages)


def _read_stage(parameters: Message, path: str, found: Violations) -> StageParameters | None:
    """The parameters of one model, which stand at `path`."""
    if isinstance(parameters, generation_pb2.TextParameters):
        return _read_text(parameters, path, found)
    if isinstance(parameters, generation_pb2.FillMaskParameters):
        return FillMaskParameters(parameters.candidates or _DEFAULT_CANDIDATES)
    if isinstance(parameters, generation_pb2.GanParameters):
        return GanParameters(
            truncation=_given(parameters, "truncation"),
            mixing_layer=_given(parameters, "mixing_layer"),
            inversion_steps=_given(parameters, "inversion_steps"),
        )
    if isinstance(parameters, generation_pb2.VaeParameters):
        samples = _given(parameters, "importance_samples")
        return VaeParameters(temperature=_given(parameters, "temperature"), importance_samples=samples)
    if isinstance(parameters, generation_pb2.FlowParameters):
        return FlowParameters(temperature=_given(parameters, "temperature"))
    if isinstance(parameters, generation_pb2.DiffusionParameters):
        return _read_diffusion(parameters, path, found)
    if isinstance(parameters, generation_pb2.AutoregressiveParameters):
        return AutoregressiveParameters(_given(parameters, "temperature"), _given(parameters, "top_p"))
    if isinstance(parameters, generation_pb2.CodeParameters):
        return CodeParameters(
            temperature=_given(parameters, "temperature"),
            top_k=_given(parameters, "top_k"),
            top_p=_given(parameters, "top_p"),
            guidance=_given(parameters, "guidance"),
            preview_every_steps=parameters.preview_every_steps,
        )
    return None


def _given(parameters: Message, name: str) -> Any:
    """A field with presence, None where it is absent."""
    return getattr(parameters, name) if parameters.HasField(name) else None


def _parameters_name(message: AnyRequest) -> str | None:
    if "parameters" not in message.DESCRIPTOR.oneofs_by_name:
        return None
    name: str | None = message.WhichOneof("parameters")
    return name


def _read_text(message: generation_pb2.TextParameters, path: str, found: Violations) -> TextParameters:
    _check_stops(message, path, found)
    return TextParameters(
        max_tokens=_given(message, "max_tokens"),
        temperature=_given(message, "temperature"),
        top_k=_given(message, "top_k"),
        top_p=_given(message, "top_p"),
        min_p=_given(message, "min_p"),
        repetition_penalty=_given(message, "repetition_penalty"),
        stop=tuple(message.stop),
        logprobs=_given(message, "logprobs"),
        ignore_end_of_text=message.ignore_end_of_text,
        continue_prompt=message.continue_prompt,
        beams=_given(message, "beams"),
    )


def _read_diffusion(message: generation_pb2.DiffusionParameters, path: str, found: Violations) -> DiffusionParameters:
    if message.sampler and message.sampler not in DIFFUSION_SAMPLER_FROM_WIRE:
        found.add(f"{path}.sampler", f"{message.sampler} is not a value of sextant.v1.DiffusionSampler")
    return DiffusionParameters(
        sampler=DIFFUSION_SAMPLER_FROM_WIRE.get(message.sampler),
        steps=_given(message, "steps"),
        guidance=_given(message, "guidance"),
        eta=_given(message, "eta"),
        preview_every_steps=message.preview_every_steps,
    )


def _check_stops(message: generation_pb2.TextParameters, path: str, found: Violations) -> None:
    if len(message.stop) > MOST_STOPS:
        found.add(f"{path}.stop", f"has {len(message.stop)} strings, more than {MOST_STOPS}")
    for index, stop in enumerate(message.stop[:MOST_STOPS]):
        if not 1 <= len(stop.encode()) <= LONGEST_STOP_BYTES:
            found.add(f"{path}.stop[{index}]", f"must be 1 to {LONGEST_STOP_BYTES} bytes, not {len(stop.encode())}")
