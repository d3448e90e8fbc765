"""PixelCNN: the cached steps beside the full forward pass, and as it is served."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sextant.bundles.store import SHIPPED_DIRECTORY, Bundle, open_bundle
from sextant.contract.errors import InvalidRequest
from sextant.contract.events import Estimator
from sextant.contract.media import Image
from sextant.contract.tasks import AutoregressiveParameters, Conditions, Task, TaskKind
from sextant.families.autoregressive.drawing import drawing, log_shares
from sextant.families.autoregressive.pixel_export import export_pixelcnn
from sextant.families.autoregressive.pixel_networks import PixelCnn
from sextant.families.autoregressive.pixel_sampler import PixelCnnSampler, class_posterior
from sextant.families.provenance import Provenance
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig

CLASSES, SIZE = ("left", "right"), 6
SOURCE = Image(np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 1), dtype=np.uint8))
FASHION = np.load(Path(__file__).parents[2] / "data" / "fashion.npz")
LOWER = Image(np.uint8([[[0]] * SIZE] * 2 + [[[0]] * 2 + [[255]] * (SIZE - 2)] + [[[255]] * SIZE] * (SIZE - 3)))


def tiny_bundle(directory: Path) -> Bundle:
    torch.manual_seed(0)
    network = PixelCnn(SIZE, len(CLASSES), width=8, layers=3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2.0)  # so that what comes before matters
    return export_pixelcnn(
        network, directory, "tiny-pixelcnn", classes=CLASSES, provenance=Provenance("Nothing.", "Untrained.")
    )


@pytest.fixture(scope="module")
def sampler(tmp_path_factory) -> PixelCnnSampler:
    return PixelCnnSampler.load(tiny_bundle(tmp_path_factory.mktemp("bundles")), SessionConfig())


def task(kind: TaskKind = TaskKind.GENERATE, index: int = 0, label: str = "left", **rest) -> Task:
    return Task(kind, 5, index, conditions=Conditions(class_label=label), **rest)


def run(sampler, tasks):
    states = [sampler.start(one, RequestRng(one.seed, one.index)) for one in tasks]
    while pending := [state for state in states if not state.done]:
        group = sampler.group(pending[0])
        sampler.step([state for state in pending if sampler.group(state) == group])
    return [sampler.result(state) for state in states]


def test_no_pixel_sees_itself_or_what_comes_after():
    torch.manual_seed(1)
    network = PixelCnn(SIZE, 2, width=8, layers=3).eval()
    level = torch.rand(1, 1, SIZE, SIZE) * 255
    with torch.no_grad():
        before = network(level, torch.tensor([1]))
        for place in (0, 7, 20, SIZE * SIZE - 1):
            changed = level.clone()
            changed.view(-1)[place] += 100
            moved = (network(changed, torch.tensor([1])) - before).abs().sum(1).view(-1) > 0
            assert not moved[: place + 1].any()
            assert place == SIZE * SIZE - 1 or moved[place + 1 :].any()


def test_each_pixel_is_drawn_from_what_the_full_forward_pass_says_of_it(sampler):
    """Greedy and nucleus sampling repeat themselves on the logits of the whole picture."""
    for temperature, top_p in ((1.0, 1.0), (0.0, 1.0), (0.7, 0.8)):
        given = AutoregressiveParameters(temperature=temperature, top_p=top_p)
        made = run(sampler, [task(index=i, label=CLASSES[i % 2], parameters=given) for i in range(4)])
        for index, result in enumerate(made):
            levels = result.content.pixels[:, :, 0]
            fed = {"level": levels[None, None].astype(np.float32), "label": np.int64([index % 2])}
            logits = sampler._networks["picture"].run(fed)["logits"][0]
            rng = RequestRng(5, index)
            uniform = np.stack([rng.uniform("pixel", row, (SIZE,)) for row in range(SIZE)])
            count = SIZE * SIZE
            draw = drawing(np.full(count, temperature), np.full(count, top_p))
            again = draw(logits.reshape(256, -1).T, uniform.reshape(-1))
            assert (again == levels.reshape(-1)).all()


def test_the_cached_logits_are_those_of_the_full_forward_pass_at_every_position(sampler):
    levels = SOURCE.pixels[:, :, 0]
    full = sampler._networks["picture"].run({"level": levels[None, None].astype(np.float32), "label": np.int64([0])})
    worst = 0.0
    kept = np.zeros((1, 3, 8, SIZE), np.float32)
    scaled = np.pad(levels.astype(np.float32) / 255, ((3, 0), (6, 0)))
    for row in range(SIZE):
        above = scaled[None, row : row + 3, 6:]
        out = sampler._networks["row"].run({"above": above, "kept": kept, "label": np.int64([0])})
        kept, columns = out["kept_out"], np.zeros((1, 3, 8, 2), np.float32)
        for column in range(SIZE):
            left = scaled[None, row + 3, column : column + 6]
            fed = {"left": left, "told": out["told"][:, column], "kept": columns, "label": np.int64([0])}
            said = sampler._networks["pixel"].run(fed)
            columns = said["kept_out"]
            worst = max(worst, float(np.abs(said["logits"][0] - full["logits"][0, :, row, column]).max()))
    assert worst < 1e-5


def test_a_picture_is_the_same_alone_and_among_others_at_other_rows(sampler):
    tasks = [task(index=i, label=CLASSES[i % 2], parameters=AutoregressiveParameters(top_p=0.9)) for i in range(3)]
    tasks.append(task(TaskKind.TRANSFORM, 3, source=SOURCE, mask=LOWER))
    alone = [run(sampler, [one])[0].content.pixels.tobytes() for one in tasks]
    states = []
    for one in tasks:  # each joins a row later than the one before
        states.append(sampler.start(one, RequestRng(one.seed, one.index)))
        sampler.step(states)
    while pending := [state for state in states if not state.done]:
        sampler.step(pending)
    assert [sampler.result(state).content.pixels.tobytes() for state in states] == alone


def test_what_the_mask_keeps_stays_and_what_it_leaves_depends_on_it(sampler):
    keep = LOWER.pixels == 0
    (made,) = run(sampler, [task(TaskKind.TRANSFORM, source=SOURCE, mask=LOWER)])
    assert (made.content.pixels[keep] == SOURCE.pixels[keep]).all()
    other = Image(255 - SOURCE.pixels)
    (differs,) = run(sampler, [task(TaskKind.TRANSFORM, source=other, mask=LOWER)])
    assert (made.content.pixels[~keep] != differs.content.pixels[~keep]).any()


def test_the_class_of_a_completion_that_names_none_is_drawn_given_what_is_kept(sampler):
    """Its frequencies are those of Bayes' rule over the likelihoods that the model itself gives what is kept."""
    keep = LOWER.pixels[:, :, 0] == 0
    levels = np.where(keep, SOURCE.pixels[:, :, 0], 0).astype(np.uint8)
    fed = {"level": np.repeat(levels[None, None].astype(np.float32), 2, 0), "label": np.arange(2)}
    logits = sampler._networks["picture"].run(fed)["logits"]
    nats = [log_shares(said, axis=0)[levels, *np.indices(levels.shape)][keep].sum() for said in logits]
    right = 1 / (1 + np.exp(nats[0] - nats[1]))
    assert class_posterior(logits, levels, keep)[1] == pytest.approx(right)
    drawn = []
    for index in range(400):
        state = sampler.start(task(TaskKind.TRANSFORM, index, "", source=SOURCE, mask=LOWER), RequestRng(5, index))
        sampler.step([state])
        drawn.append(state.label)
    assert np.mean(drawn) == pytest.approx(right, abs=0.08)


def test_a_completion_that_names_no_class_is_the_same_alone_and_among_others(sampler):
    tasks = [task(TaskKind.TRANSFORM, index, "", source=SOURCE, mask=LOWER) for index in range(3)] + [task(index=3)]
    alone = run(sampler, tasks[:1]) + run(sampler, tasks[1:2]) + run(sampler, tasks[2:3]) + run(sampler, tasks[3:])
    together = run(sampler, tasks)
    assert [r.content.pixels.tobytes() for r in together] == [r.content.pixels.tobytes() for r in alone]
    for result in together[:3]:
        keep = LOWER.pixels == 0
        assert (result.content.pixels[keep] == SOURCE.pixels[keep]).all()


SHOES, TOPS = {"sandal", "sneaker", "ankle boot"}, {"t-shirt", "pullover", "coat", "shirt", "dress"}
ALIKE = {"trouser": {"trouser", "dress"}, "bag": {"bag"}, **dict.fromkeys(SHOES, SHOES), **dict.fromkeys(TOPS, TOPS)}


def test_half_a_real_picture_is_completed_as_what_it_is_or_looks_like():
    """The upper halves of real clothes: a shirt becomes no shoe."""
    bundle = open_bundle(SHIPPED_DIRECTORY / "fashion-pixelcnn")
    sampler, classes = PixelCnnSampler.load(bundle, SessionConfig()), bundle.manifest.network["classes"]
    lower = Image(np.repeat(np.array([0] * 14 + [255] * 14, np.uint8), 28).reshape(28, 28, 1))
    seen = []
    for index in range(50):
        asked = Task(TaskKind.TRANSFORM, 5, index, source=Image(FASHION["images"][index]), mask=lower)
        state = sampler.start(asked, RequestRng(5, index))
        sampler.step([state])
        seen.append(classes[state.label] in ALIKE[classes[FASHION["labels"][index]]])
    assert np.mean(seen) > 0.8


def test_scores_are_exact_and_the_same_in_a_batch(sampler):
    pictures = [Image(np.full((SIZE, SIZE, 1), level, np.uint8)) for level in (0, 90)] + [SOURCE]
    tasks = [task(TaskKind.SCORE, index, source=picture) for index, picture in enumerate(pictures)]
    together = [result.content for result in run(sampler, tasks)]
    assert together == [run(sampler, [one])[0].content for one in tasks]
    assert {found.estimator for found in together} == {Estimator.EXACT}


def test_the_probabilities_of_all_values_of_the_last_pixel_sum_to_that_of_the_rest(sampler):
    """A likelihood that is exact sums to one over what can be: here over the last pixel."""
    pictures = np.repeat(SOURCE.pixels[None], 256, axis=0)
    pictures[:, -1, -1, 0] = np.arange(256)
    tasks = [task(TaskKind.SCORE, index, source=Image(picture)) for index, picture in enumerate(pictures)]
    nats = np.array(
        [r.content.log_likelihood_nats for at in range(0, 256, 64) for r in run(sampler, tasks[at : at + 64])]
    )
    fed = {"level": SOURCE.pixels.transpose(2, 0, 1)[None].astype(np.float32), "label": np.int64([0])}
    said = log_shares(sampler._networks["picture"].run(fed)["logits"][0], axis=0)
    each = np.take_along_axis(said, SOURCE.pixels.transpose(2, 0, 1).astype(np.int64), axis=0).reshape(-1)
    assert np.log(np.exp(nats - nats.max()).sum()) + nats.max() == pytest.approx(each[:-1].sum(), abs=1e-4)


def test_drawing_follows_the_probabilities():
    logits = np.log(np.float32([[0.1, 0.2, 0.3, 0.4]])).repeat(20_000, 0)
    uniform = np.random.default_rng(0).random(20_000)
    ones = np.ones(20_000)
    plain = np.bincount(drawing(ones, ones)(logits, uniform), minlength=4) / 20_000
    np.testing.assert_allclose(plain, [0.1, 0.2, 0.3, 0.4], atol=0.01)
    nucleus = np.bincount(drawing(ones, 0.7 * ones)(logits, uniform), minlength=4) / 20_000
    np.testing.assert_allclose(nucleus, [0, 0, 3 / 7, 4 / 7], atol=0.01)
    assert (drawing(0 * ones, ones)(logits, uniform) == 3).all()


def test_a_picture_of_no_class_is_as_likely_as_the_mean_over_all_classes(sampler):
    tasks = [task(TaskKind.SCORE, label=label, source=SOURCE) for label in ("", "left", "right")]
    whole, left, right = (result.content.log_likelihood_nats for result in run(sampler, tasks))
    assert whole == pytest.approx(np.logaddexp(left, right) - np.log(2), rel=1e-12)
    assert sampler.cost(tasks[0]).rows == 2


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (task(label="up"), "conditions.class_label"),
        (task(TaskKind.SCORE, label="middle", source=SOURCE), "conditions.class_label"),
        (task(TaskKind.TRANSFORM, source=SOURCE), "mask"),
        (task(TaskKind.TRANSFORM, source=SOURCE, mask=Image(np.full((SIZE, SIZE, 1), 128, np.uint8))), "mask"),
        (task(TaskKind.TRANSFORM, source=SOURCE, mask=Image(np.zeros((3, SIZE, 1), np.uint8))), "mask"),
        (task(TaskKind.TRANSFORM, source=SOURCE, mask=LOWER, strength=0.5), "strength"),
        (task(prompt="a shoe"), "prompt"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_field(sampler, asked, field):
    with pytest.raises(InvalidRequest) as refused:
        sampler.start(asked, RequestRng(0))
    assert refused.value.violations[0].field == field
