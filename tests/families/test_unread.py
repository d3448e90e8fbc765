"""What a model would not heed is refused, field by field."""

from typing import Any

import numpy as np
import pytest

from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Image, Text
from sextant.contract.tasks import (
    ChatMessage,
    Conditions,
    FlowParameters,
    Role,
    Size,
    Task,
    TaskKind,
    VaeParameters,
)
from sextant.families.unread import check_size, read_parameters, refuse_unread

PICTURE = Image(np.zeros((2, 2, 1), np.uint8))
SET: dict[str, dict[str, Any]] = {
    "prompt": {"prompt": "a cat"},
    "chat": {"chat": (ChatMessage(Role.USER, "a cat"),)},
    "context": {"context": "a cat"},
    "conditions.attributes": {"conditions": Conditions(attributes={"hair": "red"})},
    "conditions.media": {"conditions": Conditions(media=(Text("a cat"),))},
    "mask": {"mask": PICTURE},
    "strength": {"strength": 0.5},
    "parameters": {"parameters": VaeParameters()},
}


@pytest.mark.parametrize("field", SET)
def test_a_field_is_refused_by_its_name_unless_it_is_read(field: str) -> None:
    task = Task(TaskKind.TRANSFORM, seed=0, source=PICTURE, **SET[field])
    refuse_unread(task, field)
    with pytest.raises(InvalidRequest) as refused:
        refuse_unread(task, *(other for other in SET if other != field))
    assert refused.value.violations[0].field == field


def test_a_bare_task_leaves_nothing_unread() -> None:
    refuse_unread(Task(TaskKind.GENERATE, seed=0, prompt="", size=Size(8, 8)))


@pytest.mark.parametrize("size", [Size(), Size(width_px=8), Size(8, 6), Size(height_px=6)])
def test_the_model_s_own_size_may_be_named_or_left_out(size: Size) -> None:
    check_size(size, Size(8, 6))


@pytest.mark.parametrize(
    ("size", "field"),
    [
        (Size(9, 6), "size.width_px"),
        (Size(8, 8), "size.height_px"),
        (Size(duration_s=0.5), "size.duration_s"),
        (Size(rows=1), "size.rows"),
    ],
)
def test_any_other_size_is_refused_by_its_field(size: Size, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_size(size, Size(8, 6))
    assert refused.value.violations[0].field == field


def test_parameters_are_those_of_the_family_or_absent() -> None:
    given = VaeParameters(temperature=0.5)
    assert read_parameters(Task(TaskKind.GENERATE, 0, parameters=given), VaeParameters, "vae") is given
    assert read_parameters(Task(TaskKind.GENERATE, 0), VaeParameters, "vae") == VaeParameters()
    with pytest.raises(InvalidRequest, match="`vae` parameters"):
        read_parameters(Task(TaskKind.GENERATE, 0, parameters=FlowParameters()), VaeParameters, "vae")
