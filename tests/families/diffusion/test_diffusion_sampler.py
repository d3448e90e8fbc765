"""A diffusion model as it is served."""

import math

import numpy as np
import pytest

from sextant.contract.errors import InvalidRequest
from sextant.contract.events import Estimator, Likelihood
from sextant.contract.media import Image
from sextant.contract.tasks import Conditions, DiffusionParameters, DiffusionSampler, Size, Task, TaskKind
from sextant.families.diffusion.bound import Bounding
from sextant.families.diffusion.prediction import Prediction
from sextant.families.diffusion.sampler import DiffusionImageSampler
from sextant.families.diffusion.schedule import Schedule, alpha_bars
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig
from tests.families.diffusion.tiny import tiny_bundle

SOURCE = Image(np.random.default_rng(0).integers(0, 256, (8, 8, 1), dtype=np.uint8))
MASK = Image(np.repeat(np.repeat(np.uint8([[0], [255]]), 4, axis=0), 8, axis=1)[:, :, None])
LEFT = Conditions(class_label="left")


@pytest.fixture(scope="module")
def sampler(tmp_path_factory) -> DiffusionImageSampler:
    return DiffusionImageSampler.load(tiny_bundle(tmp_path_factory.mktemp("bundles")), SessionConfig())


def generate(index: int = 0, conditions: Conditions = LEFT, **parameters) -> Task:
    given = DiffusionParameters(**parameters)
    return Task(TaskKind.GENERATE, 3, index, conditions=conditions, parameters=given)


def run(sampler, tasks, together: bool = True):
    """Results of all tasks, in mixed company or one after the other."""
    states = [sampler.start(task, RequestRng(task.seed, task.index)) for task in tasks]
    if together:
        while pending := [state for state in states if not state.done]:
            sampler.step(pending)
    else:
        for state in states:
            while not state.done:
                sampler.step([state])
    return [sampler.result(state) for state in states]


MIXED = [
    *(generate(index, sampler=name, steps=3 + index) for index, name in enumerate(DiffusionSampler) if index < 4),
    generate(4, guidance=1.0),
    generate(5, guidance=0.0, sampler=DiffusionSampler.DDIM, eta=0.5),
    Task(TaskKind.TRANSFORM, 3, 6, source=SOURCE, conditions=LEFT, strength=0.4),
    Task(TaskKind.TRANSFORM, 3, 7, source=SOURCE, mask=MASK),
    Task(TaskKind.SCORE, 3, 8, source=SOURCE, parameters=DiffusionParameters(steps=2)),
]


def test_requests_at_any_step_by_any_rule_share_calls_and_get_the_bytes_they_get_alone(sampler):
    for mixed, alone in zip(run(sampler, MIXED), run(sampler, MIXED, together=False), strict=True):
        if isinstance(mixed.content, Image):
            assert mixed.content.pixels.tobytes() == alone.content.pixels.tobytes()
        else:
            assert mixed.content == alone.content


def test_all_states_want_the_same_network(sampler):
    states = [sampler.start(task, RequestRng(task.seed, task.index)) for task in MIXED]
    assert len({sampler.group(state) for state in states}) == 1
    assert [sampler.cost(task).rows for task in MIXED[:6]] == [2, 2, 2, 2, 1, 1]
    for task, state in zip(MIXED[:8], states, strict=False):
        assert len(state.inputs()["t"]) == sampler.cost(task).rows


def test_what_a_mask_keeps_comes_back_to_the_level_and_the_rest_does_not(sampler):
    (made,) = run(sampler, [Task(TaskKind.TRANSFORM, 3, source=SOURCE, mask=MASK, conditions=LEFT)])
    assert (made.content.pixels[:4] == SOURCE.pixels[:4]).all()
    assert (made.content.pixels[4:] != SOURCE.pixels[4:]).mean() > 0.5


def test_strength_says_how_many_of_the_steps_are_made_and_how_far_it_departs(sampler):
    distances = []
    for strength, steps in ((0.1, 1), (0.5, 5), (1.0, 10)):
        task = Task(
            TaskKind.TRANSFORM,
            3,
            source=SOURCE,
            conditions=LEFT,
            strength=strength,
            parameters=DiffusionParameters(steps=10),
        )
        assert sampler.start(task, RequestRng(3)).steps_total == steps
        (made,) = run(sampler, [task])
        distances.append(np.abs(made.content.pixels.astype(int) - SOURCE.pixels).mean())
    assert distances == sorted(distances)


def test_previews_come_when_they_were_asked_for_and_an_estimate_at_any_time(sampler):
    state = sampler.start(generate(steps=6, preview_every_steps=2), RequestRng(3))
    assert sampler.partial(state) is None
    shown = []
    while not state.done:
        sampler.step([state])
        shown.append(sampler.preview(state))
        assert isinstance(sampler.partial(state).content, Image)
    assert [preview is not None for preview in shown] == [False, True] * 3
    assert (shown[-1].pixels == sampler.result(state).content.pixels).all()


def test_guidance_of_one_is_the_class_alone_and_of_zero_none(sampler):
    for guidance, alike in ((1.0, False), (0.0, True)):
        tasks = [generate(conditions=Conditions(class_label=name), guidance=guidance) for name in ("left", "right")]
        left, right = (result.content.pixels for result in run(sampler, tasks))
        assert (left == right).all() == alike


def test_the_bound_is_of_a_perfect_network_what_the_last_term_alone_costs():
    bars = alpha_bars(Schedule.COSINE, 1000)
    levels = SOURCE.pixels.transpose(2, 0, 1)
    state = Bounding(0, levels, 0, bars, Prediction.EPSILON, RequestRng(0), 3)
    picture = levels.astype(np.float32) / np.float32(127.5) - 1
    while not state.done:
        rows = state.inputs()
        kept = bars[rows["t"].astype(int)][:, None, None, None]
        noise = (rows["x"] - np.sqrt(kept) * picture) / np.sqrt(1 - kept)
        state.take({"prediction": noise.astype(np.float32)})
    found = state.result().content
    # A Gaussian of deviation sqrt(1 - abar_0) around each level: the part of it in the level's own bin.
    inside = math.erf(1 / 255 / math.sqrt(1 - bars[0]) / math.sqrt(2))
    expected = levels.size * math.log(inside)
    assert found.estimator is Estimator.LOWER_BOUND
    assert found.log_likelihood_nats == pytest.approx(expected, abs=0.05)
    assert found.standard_error_nats < 0.05


def test_the_standard_error_tells_how_far_bounds_lie_apart(sampler):
    def bound(seed: int) -> Likelihood:
        task = Task(TaskKind.SCORE, seed, source=SOURCE, parameters=DiffusionParameters(steps=1))
        return run(sampler, [task])[0].content

    bounds = [bound(seed) for seed in range(40)]
    spread = np.std([found.log_likelihood_nats for found in bounds])
    told = np.sqrt(np.mean(np.square([found.standard_error_nats for found in bounds])))
    assert 0.5 < told / spread < 2


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (generate(steps=1001), "diffusion.steps"),
        (generate(sampler=DiffusionSampler.LCM), "diffusion.sampler"),
        (generate(sampler=DiffusionSampler.FLOW_EULER), "diffusion.sampler"),
        (generate(sampler=DiffusionSampler.EULER, eta=0.5), "diffusion.eta"),
        (generate(conditions=Conditions(class_label="up")), "conditions.class_label"),
        (Task(TaskKind.GENERATE, 0, source=SOURCE), "source"),
        (Task(TaskKind.GENERATE, 0, size=Size(width_px=9)), "size.width_px"),
        (Task(TaskKind.GENERATE, 0, prompt="a shoe"), "prompt"),
        (Task(TaskKind.GENERATE, 0, strength=0.5), "strength"),
        (Task(TaskKind.TRANSFORM, 0), "source.image"),
        (Task(TaskKind.TRANSFORM, 0, source=Image(np.zeros((9, 8, 1), np.uint8))), "source.image"),
        (Task(TaskKind.TRANSFORM, 0, source=SOURCE, mask=Image(np.zeros((9, 8, 1), np.uint8))), "mask"),
        (Task(TaskKind.SCORE, 0, source=SOURCE, parameters=DiffusionParameters(guidance=2.0)), "diffusion.guidance"),
        (Task(TaskKind.SCORE, 0, source=SOURCE, parameters=DiffusionParameters(steps=100)), "diffusion.steps"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_field(sampler, task, field):
    with pytest.raises(InvalidRequest) as refused:
        sampler.start(task, RequestRng(0))
    assert refused.value.violations[0].field == field


def test_a_flow_matching_model_moves_along_its_own_path(tmp_path):
    from sextant.contract.errors import BundleRefused

    with pytest.raises(BundleRefused, match="does not fit prediction"):
        DiffusionImageSampler.load(tiny_bundle(tmp_path, Prediction.FLOW), SessionConfig())
