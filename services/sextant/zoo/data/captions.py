"""Captions of faces: a small grammar over their exact attributes, with synonyms, so that a caption is always true.

Some combinations of attributes are held out: no training face shows them, and what is made of captions that name them
shows whether words are understood one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sextant.zoo.data import faces

# The attributes that captions speak of. Hair has two values to the eye, however many shapes.
_LENGTHS = ("long", "short")
HAIR_COLOURS = ("black", "brown", "dark blond", "blond", "dark red", "bright red", "blue", "green")
CLOTHES_COLOURS = ("navy blue", "blue", "light blue", "green", "mint green", "dark red", "salmon pink", "yellow")
BACKGROUNDS = ("light blue", "purple", "lavender", "pink", "peach", "light green")
MOODS = ("happy", "sad")

_HAPPY = ("smiling", "happy", "cheerful")
_SAD = ("sad", "gloomy", "unhappy")
_HEADS = ("a face", "a person", "somebody", "a portrait of somebody")
_GLASSES = ("dark glasses", "sunglasses")
_ON = ("on a {} background", "in front of something {}", "against {}")


@dataclass(frozen=True, slots=True)
class Said:
    """What a caption says of a face, as indices: hair length and colour, clothes, background, mood, glasses, beard."""

    length: int
    hair: int
    clothes: int
    background: int
    mood: int
    glasses: bool
    beard: bool

    @property
    def values(self) -> tuple[int, ...]:
        """In the order of the fields."""
        hair = (self.length, self.hair, self.clothes, self.background, self.mood)
        return (*hair, int(self.glasses), int(self.beard))

    @property
    def is_held_out(self) -> bool:
        """Whether training never sees such a face: one in sixteen pairs of hair and clothes, by their colours."""
        return (3 * self.hair + self.clothes) % 16 == 5


# What can be said, and how many values each has, in the order of `Said.values`.
NAMES = tuple(field.name for field in fields(Said))
COUNTS = (2, len(HAIR_COLOURS), len(CLOTHES_COLOURS), len(BACKGROUNDS), 2, 2, 2)


def said_of(values: NDArray[np.int64], attributes: Mapping[str, tuple[Any, ...]] = faces.ATTRIBUTES) -> Said:
    """What there is to say of a face with these values of its attributes, int64[attributes]."""
    at = dict(zip(attributes, (int(value) for value in values), strict=True))
    return Said(
        length=_LENGTHS.index("long" if str(attributes["hair"][at["hair"]]).startswith("long") else "short"),
        hair=at["hair_colour"],
        clothes=at["clothes_colour"],
        background=at["background"],
        mood=0 if str(attributes["mouth"][at["mouth"]]).startswith("happy") else 1,
        glasses=bool(attributes["glasses"][at["glasses"]]),
        beard=bool(attributes["beard"][at["beard"]]),
    )


def caption(said: Said, rng: np.random.Generator) -> str:
    """One of the many ways to say it; clauses come in any order, and synonyms at random."""
    mood = str(rng.choice(_HAPPY if said.mood == 0 else _SAD))
    hair = f"{_LENGTHS[said.length]} {HAIR_COLOURS[said.hair]} hair"
    clothes = f"{CLOTHES_COLOURS[said.clothes]} clothes"
    having = [hair, *(["a beard"] if said.beard else []), *([str(rng.choice(_GLASSES))] if said.glasses else [])]
    clauses = [
        f"with {_listed(having)}",
        f"{rng.choice(('in', 'wearing'))} {clothes}",
        str(rng.choice(_ON)).format(BACKGROUNDS[said.background]),
    ]
    order = rng.permutation(len(clauses))
    head = str(rng.choice(_HEADS))
    first = f"{head}, {mood}," if rng.random() < 0.5 else _with_mood(head, mood)
    return " ".join([first, *(clauses[place] for place in order)])


def _with_mood(head: str, mood: str) -> str:
    article = "an" if mood[0] in "aeiou" else "a"
    if head.startswith("a ") and " of " not in head:
        return f"{article} {mood} {head.removeprefix('a ')}"
    return f"{article} {mood} person"


def _listed(things: list[str]) -> str:
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"
