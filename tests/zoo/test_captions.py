"""Captions say what is true of a face, in many ways."""

import numpy as np
import pytest

from sextant.zoo.data import captions, faces


def drawn(count: int = 300) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(len(options), size=count) for options in faces.ATTRIBUTES.values()], axis=1)


def test_a_caption_names_every_attribute_that_it_speaks_of():
    rng = np.random.default_rng(1)
    for values in drawn():
        said = captions.said_of(values)
        text = captions.caption(said, rng)
        assert f"{('long', 'short')[said.length]} {captions.HAIR_COLOURS[said.hair]} hair" in text
        assert f"{captions.CLOTHES_COLOURS[said.clothes]} clothes" in text
        assert captions.BACKGROUNDS[said.background] in text
        assert ("beard" in text) == said.beard
        assert ("glasses" in text) == said.glasses


def test_the_same_is_said_in_many_ways_and_the_same_way_from_the_same_seed():
    said = captions.said_of(drawn(1)[0])
    ways = {captions.caption(said, np.random.default_rng(seed)) for seed in range(100)}
    assert len(ways) > 40
    assert captions.caption(said, np.random.default_rng(3)) == captions.caption(said, np.random.default_rng(3))


def test_some_combinations_are_held_out_though_each_of_their_parts_is_seen():
    found = [captions.said_of(values) for values in drawn(4000)]
    held = [said for said in found if said.is_held_out]
    seen = [said for said in found if not said.is_held_out]
    assert 0.02 < len(held) / len(found) < 0.12
    assert {said.hair for said in held} <= {said.hair for said in seen}
    assert {said.clothes for said in held} <= {said.clothes for said in seen}
    assert not {(said.hair, said.clothes) for said in held} & {(said.hair, said.clothes) for said in seen}


@pytest.mark.parametrize("names", [captions.HAIR_COLOURS, captions.CLOTHES_COLOURS, captions.BACKGROUNDS])
def test_no_two_values_have_one_name(names):
    assert len(set(names)) == len(names)


def test_there_is_a_name_for_every_value():
    assert len(captions.HAIR_COLOURS) == len(faces.HAIR_COLOURS)
    assert len(captions.CLOTHES_COLOURS) == len(faces.CLOTHES_COLOURS)
    assert len(captions.BACKGROUNDS) == len(faces.BACKGROUNDS)
