"""Latents as files: NumPy's .npz with `space`, `mean` and, for a distribution, `variance`."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import typer
from numpy.typing import NDArray

from sextant.contract.media import Latent

LATENT = ".npz"


def read_latent(path: Path) -> Latent:
    """What `write_latent` wrote. Raises `typer.BadParameter` for anything else."""
    if path.suffix.lower() != LATENT:
        raise typer.BadParameter(f"{str(path)!r} is no latent; `sextant encode --out` writes them as {LATENT}")
    try:
        saved = np.load(path, allow_pickle=False)
        if not isinstance(saved, np.lib.npyio.NpzFile):
            raise ValueError("it is a single array")
        with saved:
            mean = _numbers(saved["mean"], "mean")
            variance = _numbers(saved["variance"], "variance") if "variance" in saved else None
            return Latent(str(saved["space"]), mean, variance)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, EOFError, BadZipFile) as error:
        wanted = "an .npz with the arrays space, mean and, if it has one, variance"
        raise typer.BadParameter(f"{path} is no latent, which is {wanted}") from error


def write_latent(path: Path, latent: Latent) -> None:
    """Numbers as they came, so that decoding from the file is decoding what was encoded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.generic]] = {"space": np.array(latent.space), "mean": latent.mean}
    if latent.variance is not None:
        arrays["variance"] = latent.variance
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _numbers(found: object, name: str) -> NDArray[np.floating]:
    if not isinstance(found, np.ndarray) or not np.issubdtype(found.dtype, np.floating):
        raise ValueError(f"{name} is no array of floats")
    return found
