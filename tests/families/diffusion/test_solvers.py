"""The samplers beside diffusers' schedulers, on the same network and noise."""

from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from sextant.contract.media import Tensor
from sextant.families.diffusion.course import Solver
from sextant.families.diffusion.ddim import Ddim
from sextant.families.diffusion.ddpm import Ddpm
from sextant.families.diffusion.denoising import Denoising, guided_to_class
from sextant.families.diffusion.dpm_solver import DpmSolver
from sextant.families.diffusion.euler import MOST_NOISE, Euler
from sextant.families.diffusion.flow_euler import FlowEuler
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.schedule import Schedule, alpha_bars
from sextant.runtime.rng import RequestRng

TRAIN_STEPS, SHAPE = 1000, (1, 8, 8)
BETAS = {Schedule.LINEAR: "linear", Schedule.COSINE: "squaredcos_cap_v2"}
NAMES = {Prediction.EPSILON: "epsilon", Prediction.SAMPLE: "sample", Prediction.V: "v_prediction"}
RNG = RequestRng(7)


def network(x: np.ndarray, t: float) -> np.ndarray:
    """Some smooth function of both, as a denoiser is; float32 like one."""
    x = x.astype(np.float32)
    mixed = np.roll(x, 1, axis=-1) * np.float32(0.3) + x * np.float32(0.6)
    return (np.tanh(mixed) * np.float32(0.5 + 0.5 * t / TRAIN_STEPS)).astype(np.float32)


def as_is(x0: np.ndarray) -> Tensor:
    return Tensor(x0)


def ours(solver: Solver, prediction: Prediction, schedule: Schedule, steps: int) -> np.ndarray:
    course = solver.course(alpha_bars(schedule, TRAIN_STEPS), steps)
    state = Denoising(
        0, RNG.normal("x", shape=SHAPE), course, solver, guided_to_class(0, 0, 1), prediction, RNG, as_is, clip=False
    )
    visited = [state.x]
    while not state.done:
        rows = state.inputs()
        state.take({"prediction": network(rows["x"], float(rows["t"][0]))})
        visited.append(state.x)
    return np.stack(visited)


def theirs(scheduler: Any, steps: int, schedule: Schedule | None, scale: float = 1.0, **options: Any) -> np.ndarray:
    """x at every step; `scale` takes the unit variance that we start from to what the scheduler starts from."""
    if schedule is not None:
        # Theirs is of float32, where the cosine schedule's last beta, 0.999, costs four of its digits.
        scheduler.alphas_cumprod = torch.from_numpy(alpha_bars(schedule, TRAIN_STEPS))
    scheduler.set_timesteps(steps)
    x = torch.from_numpy(RNG.normal("x", shape=SHAPE))[None] * scale
    visited = [x]
    for step, t in enumerate(scheduler.timesteps):
        scaled = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        said = network(scaled[0].numpy(), float(t))
        noise = torch.from_numpy(RNG.normal("diffusion/step", step, SHAPE))[None]
        with drawing(noise):
            x = scheduler.step(torch.from_numpy(said)[None], t, x, **options).prev_sample
        visited.append(x)
    return torch.cat(visited).numpy()


class drawing:  # noqa: N801 - reads as what it does
    """Within it, diffusers draws this noise."""

    def __init__(self, noise: torch.Tensor) -> None:
        self._noise = noise

    def __enter__(self) -> None:
        import diffusers.schedulers.scheduling_ddim as ddim
        import diffusers.schedulers.scheduling_ddpm as ddpm

        self._modules = (ddim, ddpm)
        self._kept = [module.randn_tensor for module in self._modules]
        for module in self._modules:
            module.randn_tensor = lambda *_, **__: self._noise

    def __exit__(self, *_: object) -> None:
        for module, kept in zip(self._modules, self._kept, strict=True):
            module.randn_tensor = kept


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Largest, over the largest magnitude of each point of the trajectory, or 1."""
    size = np.maximum(1.0, np.abs(b).reshape(len(b), -1).max(1))
    return float((np.abs(a - b).reshape(len(a), -1).max(1) / size).max())


@pytest.mark.parametrize("schedule", list(BETAS))
def test_the_schedules_are_diffusers_schedules(schedule):
    expected = diffusers.DDPMScheduler(TRAIN_STEPS, beta_schedule=BETAS[schedule]).alphas_cumprod.numpy()
    np.testing.assert_allclose(alpha_bars(schedule, TRAIN_STEPS), expected, rtol=2e-4)


CASES = [(prediction, schedule) for prediction in NAMES for schedule in BETAS]


@pytest.mark.parametrize(("prediction", "schedule"), CASES)
@pytest.mark.parametrize("steps", [4, 50])
def test_ddim_with_and_without_noise_is_diffusers_ddim(prediction, schedule, steps):
    for eta in (0.0, 0.7, 1.0):
        scheduler = diffusers.DDIMScheduler(
            TRAIN_STEPS,
            beta_schedule=BETAS[schedule],
            prediction_type=NAMES[prediction],
            clip_sample=False,
            timestep_spacing="trailing",
        )
        assert (
            difference(ours(Ddim(eta), prediction, schedule, steps), theirs(scheduler, steps, schedule, eta=eta)) < 1e-5
        )


@pytest.mark.parametrize(("prediction", "schedule"), CASES)
@pytest.mark.parametrize("steps", [5, 100])
def test_ddpm_is_diffusers_ddpm(prediction, schedule, steps):
    scheduler = diffusers.DDPMScheduler(
        TRAIN_STEPS,
        beta_schedule=BETAS[schedule],
        prediction_type=NAMES[prediction],
        clip_sample=False,
        timestep_spacing="trailing",
    )
    assert difference(ours(Ddpm(), prediction, schedule, steps), theirs(scheduler, steps, schedule)) < 1e-5


@pytest.mark.parametrize(("prediction", "schedule"), CASES)
@pytest.mark.parametrize("steps", [2, 20])
def test_dpm_solver_is_diffusers_second_order_multistep_solver(prediction, schedule, steps):
    scheduler = diffusers.DPMSolverMultistepScheduler(
        TRAIN_STEPS,
        beta_schedule=BETAS[schedule],
        prediction_type=NAMES[prediction],
        timestep_spacing="trailing",
        lower_order_final=False,
        final_sigmas_type="zero",
    )
    assert difference(ours(DpmSolver(), prediction, schedule, steps), theirs(scheduler, steps, schedule)) < 1e-5


@pytest.mark.parametrize("prediction", list(NAMES))
@pytest.mark.parametrize("steps", [5, 30])
def test_euler_is_diffusers_euler_at_the_noise_levels_of_karras(prediction, steps):
    bars = alpha_bars(Schedule.LINEAR, TRAIN_STEPS)
    scheduler = diffusers.EulerDiscreteScheduler(
        TRAIN_STEPS,
        beta_schedule="linear",
        prediction_type=NAMES[prediction],
        use_karras_sigmas=True,
        sigma_max=MOST_NOISE,
        sigma_min=float(np.sqrt((1 - bars[0]) / bars[0])),
    )
    made = ours(Euler(), prediction, Schedule.LINEAR, steps)
    course = Euler().course(bars, steps)
    scaled = made / course.alpha[:, None, None, None]  # theirs are x / alpha
    start = float(1 / course.alpha[0])
    assert difference(scaled, theirs(scheduler, steps, Schedule.LINEAR, start)) < 1e-5


@pytest.mark.parametrize("steps", [1, 4, 40])
def test_flow_euler_is_diffusers_flow_matching_euler(steps):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(TRAIN_STEPS)
    made = ours(FlowEuler(), Prediction.FLOW, Schedule.LINEAR, steps)
    assert difference(made, theirs(scheduler, steps, None)) < 1e-5


@pytest.mark.parametrize("solver", [Ddim(), Ddpm(), DpmSolver(), Euler()], ids=lambda s: type(s).__name__)
def test_a_network_that_knows_the_picture_leads_to_it_in_any_number_of_steps(solver):
    picture = RNG.uniform("picture", shape=SHAPE).astype(np.float32) * 2 - 1
    for steps in (1, 3, 10):
        course = solver.course(alpha_bars(Schedule.COSINE, TRAIN_STEPS), steps)
        x = RNG.normal("x", shape=SHAPE)
        state = Denoising(0, x, course, solver, guided_to_class(0, 0, 1), Prediction.V, RNG, as_is)
        while not state.done:
            at = state.steps_done
            alpha, sigma = np.float32(course.alpha[at]), np.float32(course.sigma[at])
            epsilon = (state.x - alpha * picture) / sigma
            state.take({"prediction": (alpha * epsilon - sigma * picture)[None]})
        np.testing.assert_allclose(state.x, picture, atol=2e-5)
