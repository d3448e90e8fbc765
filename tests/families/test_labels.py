"""Classes go by the names that the model knows."""

from collections import Counter

import pytest

from sextant.contract.errors import InvalidRequest
from sextant.contract.tasks import Conditions
from sextant.families.labels import read_class
from sextant.runtime.rng import RequestRng

CLASSES = ("T-shirt", "Trouser", "Straße")


@pytest.mark.parametrize(("label", "index"), [("T-shirt", 0), ("TROUSER", 1), ("STRASSE", 2)])
def test_names_match_without_regard_to_case(label: str, index: int) -> None:
    assert read_class(Conditions(label), CLASSES) == index
    assert read_class(Conditions(label), CLASSES, RequestRng(0)) == index


@pytest.mark.parametrize("label", ["sneaker", "T-shirt ", ""])
def test_a_name_that_is_unknown_or_missing_is_refused_with_the_known_ones(label: str) -> None:
    with pytest.raises(InvalidRequest, match="must be one of T-shirt, Trouser, Straße") as refused:
        read_class(Conditions(label), CLASSES)
    assert refused.value.violations[0].field == "conditions.class_label"


def test_a_model_without_classes_takes_none() -> None:
    assert read_class(Conditions(), ()) is None
    with pytest.raises(InvalidRequest, match=r"conditions\.class_label"):
        read_class(Conditions("T-shirt"), (), RequestRng(0))


def test_a_class_that_may_be_left_out_is_drawn_evenly_from_the_item_s_randomness() -> None:
    drawn = [read_class(Conditions(), CLASSES, RequestRng(7, item)) for item in range(600)]
    assert drawn == [read_class(Conditions(), CLASSES, RequestRng(7, item)) for item in range(600)]
    assert all(150 < count < 250 for count in Counter(drawn).values())
    assert set(drawn) == {0, 1, 2}
