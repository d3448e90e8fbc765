"""The best of several candidates: made as items of their own, then weighed, and all but one left out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sextant.contract.errors import SextantError
from sextant.contract.events import Likelihood, Result
from sextant.contract.media import Latent
from sextant.contract.tasks import Task


def candidates_of(tasks: Sequence[Task], candidates: int) -> tuple[Task, ...]:
    """`candidates` tasks for each, next to each other; candidate j of item i is drawn as item i * candidates + j."""
    return tuple(
        replace(task, index=task.index * candidates + number) for task in tasks for number in range(candidates)
    )


def best_of(weighed: Sequence[Sequence[Result]], candidates: int) -> list[int]:
    """The place of each item's best candidate, the first of equals.

    `weighed` holds the results of the stage that scores, or of the two that encode, candidate by candidate.
    """
    figures = _likelihoods(weighed[0]) if len(weighed) == 1 else _cosines(weighed[0], weighed[1])
    best = figures.reshape(-1, candidates).argmax(axis=1)
    return [item * candidates + int(number) for item, number in enumerate(best)]


def _likelihoods(results: Sequence[Result]) -> NDArray[np.float64]:
    found = [result.content for result in results]
    return np.array([likelihood.log_likelihood_nats for likelihood in found if isinstance(likelihood, Likelihood)])


def _cosines(first: Sequence[Result], second: Sequence[Result]) -> NDArray[np.float64]:
    """The cosine of each pair of latents."""
    a, b = (np.stack([_vector(result) for result in results]) for results in (first, second))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines: NDArray[np.float64] = (a * b).sum(1) / np.maximum(lengths, 1e-30)
    return cosines


def _vector(result: Result) -> NDArray[np.float64]:
    if not isinstance(result.content, Latent):
        raise SextantError(f"a stage encoded to {type(result.content).__name__}, not to a latent")
    return result.content.mean.astype(np.float64).ravel()
