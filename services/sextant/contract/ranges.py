"""Every range that generation.proto states, as a table, and the check of a whole request against it.

Fields without presence are checked only when they are not 0: there 0 asks for the default.
"""

from dataclasses import dataclass
from math import inf

from google.protobuf.descriptor import FieldDescriptor

from sextant.contract.field_walk import FieldWalk, Rule


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, ends included, except `low` where `above`. Never NaN, never infinite."""

    low: float
    high: float = inf
    above: bool = False

    def __call__(self, value: float) -> str | None:
        """What is wrong with `value`; None where it lies inside."""
        if self.low <= value <= self.high and value != inf and not (self.above and value == self.low):
            return None
        start = f"above {self.low:g}" if self.above else f"from {self.low:g}"
        if self.high == inf:
            wanted = f"finite and {start}" if self.above else f"finite and at least {self.low:g}"
        else:
            wanted = f"{start} to {self.high:g}"
        return f"must be {wanted}, not {value:g}"


_TEMPERATURE = Range(0, 10)
_TOP_P = Range(0, 1, above=True)
_GUIDANCE = Range(0, 30)
_COUNT = Range(1, 64)

RANGES: dict[str, Range] = {
    "sextant.v1.Size.duration_s": Range(0),
    "sextant.v1.TextParameters.max_tokens": Range(1),
    "sextant.v1.TextParameters.temperature": _TEMPERATURE,
    "sextant.v1.TextParameters.top_p": _TOP_P,
    "sextant.v1.TextParameters.min_p": Range(0, 1),
    "sextant.v1.TextParameters.repetition_penalty": Range(0, 10, above=True),
    "sextant.v1.TextParameters.logprobs": Range(0, 20),
    "sextant.v1.TextParameters.beams": Range(1),
    "sextant.v1.FillMaskParameters.candidates": Range(1, 100),
    "sextant.v1.DiffusionParameters.steps": Range(1, 1000),
    "sextant.v1.DiffusionParameters.guidance": _GUIDANCE,
    "sextant.v1.DiffusionParameters.eta": Range(0, 1),
    "sextant.v1.GanParameters.truncation": Range(0, 1),
    "sextant.v1.GanParameters.inversion_steps": Range(1, 2000),
    "sextant.v1.VaeParameters.temperature": _TEMPERATURE,
    "sextant.v1.VaeParameters.importance_samples": Range(1, 5000),
    "sextant.v1.FlowParameters.temperature": _TEMPERATURE,
    "sextant.v1.AutoregressiveParameters.temperature": _TEMPERATURE,
    "sextant.v1.AutoregressiveParameters.top_p": _TOP_P,
    "sextant.v1.CodeParameters.temperature": _TEMPERATURE,
    "sextant.v1.CodeParameters.top_p": _TOP_P,
    "sextant.v1.CodeParameters.guidance": _GUIDANCE,
    "sextant.v1.GenerateRequest.count": _COUNT,
    "sextant.v1.TransformRequest.count": _COUNT,
    "sextant.v1.TransformRequest.strength": Range(0, 1, above=True),
    "sextant.v1.InterpolateRequest.frames": Range(2, 256),
}


def _range_of(field: FieldDescriptor) -> Rule | None:
    return RANGES.get(field.full_name)


check_ranges = FieldWalk(_range_of)
