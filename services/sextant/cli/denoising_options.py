"""How diffusion models go from noise to a result, as options of commands."""

from typing import Annotated

import typer

from sextant.contract.tasks import DiffusionParameters, DiffusionSampler

Steps = Annotated[int | None, typer.Option(help="Diffusion: how many denoising steps.")]
Rule = Annotated[DiffusionSampler | None, typer.Option("--sampler", help="Diffusion: the rule that takes the steps.")]
Guidance = Annotated[float | None, typer.Option(help="Diffusion: above 1 keeps closer to the class.")]
Eta = Annotated[float | None, typer.Option(help="Diffusion: DDIM's noise in each step, 0 to 1.")]


def diffusion_of(
    steps: int | None,
    sampler: DiffusionSampler | None,
    guidance: float | None,
    eta: float | None = None,
    preview_every_steps: int = 0,
) -> DiffusionParameters | None:
    """The parameters, if any is given."""
    if steps is None and sampler is None and guidance is None and eta is None and not preview_every_steps:
        return None
    return DiffusionParameters(sampler, steps, guidance, eta, preview_every_steps)
