"""A few pictures for trying things out: clothes of every class, faces, and emoji. See NOTICE for whose they are."""

from pathlib import Path

DIRECTORY = Path(__file__).parent


def sample(name: str) -> Path:
    """The file of a sample, for example `sample("fashion-sneaker")`. FileNotFoundError where there is none."""
    path = DIRECTORY / f"{name}.png"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in DIRECTORY.glob("*.png")))
        raise FileNotFoundError(f"there is no sample {name!r}; there are {known}")
    return path
