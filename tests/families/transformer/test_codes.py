"""Maps of codes, drawn place after place: from nothing, from a part that is kept, from words."""

import numpy as np
import pytest
import torch

from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.events import Progress
from sextant.contract.media import Image, Latent
from sextant.contract.tasks import CodeParameters, Conditions, Size, Task, TaskKind, TextParameters
from sextant.families.provenance import Provenance
from sextant.families.transformer import FAMILY
from sextant.families.transformer.codes_export import export_codes
from sextant.families.transformer.codes_networks import CodeStep, CodeTransformer
from sextant.families.transformer.codes_train import CodeTraining
from sextant.families.transformer.sampling import SamplingParameters, TokenChooser
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig
from tests.families.running import bytes_of, events_of_all, run_all, run_one

_CODES, _PLACES, _TOKENS, _WIDTH = 11, (3, 4), 5, 16
_COUNT = _PLACES[0] * _PLACES[1]
_SPACE, _WORDS = "tiny/codes", "words/tokens"
_PLAIN, _TOLD = (0, 0), (_TOKENS, _WIDTH)


def _network(context: tuple[int, int]) -> CodeTransformer:
    torch.manual_seed(0)
    network = CodeTransformer(_CODES, _PLACES, context, width=32, layers=2, heads=2, readers=1).eval()
    with torch.no_grad():
        # As at its start it would say almost the same of every place.
        for block in network.blocks:
            block.answer.weight.mul_(30)
        for weights in (network.embed.weight, network.rows, network.columns):
            weights.mul_(30)
        network.leave.weight.mul_(3)
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def networks():
    return {context: _network(context) for context in (_PLAIN, _TOLD)}


@pytest.fixture(scope="module")
def bundles(networks, tmp_path_factory):
    return {
        context: export_codes(
            network,
            tmp_path_factory.mktemp("b"),
            "tiny",
            _SPACE,
            provenance=Provenance("Nothing.", "Untrained."),
            words=_WORDS if context[0] else "",
            defaults={"guidance": 2.0} if context[0] else {},
        )
        for context, network in networks.items()
    }


@pytest.fixture(scope="module")
def samplers(bundles):
    return {context: FAMILY.load(bundle, SessionConfig()) for context, bundle in bundles.items()}


def _said(number: int) -> Conditions:
    """One to five words, as an encoder has them."""
    states = np.random.default_rng(number).standard_normal((1 + number % _TOKENS, _WIDTH)).astype(np.float32)
    return Conditions(media=(Latent(_WORDS, states),))


def _draw(seed: int, context: tuple[int, int] = _PLAIN, **parameters) -> Task:
    conditions = _said(seed) if context[0] else Conditions()
    return Task(TaskKind.GENERATE, seed, conditions=conditions, parameters=CodeParameters(**parameters))


def _mask(kept_rows: int, size: int = 1) -> Image:
    """White below the rows that are kept, `size` pixels a place."""
    pixels = np.full((_PLACES[0] * size, _PLACES[1] * size, 1), 255, np.uint8)
    pixels[: kept_rows * size] = 0
    return Image(pixels)


def _source(number: int = 0) -> Latent:
    codes = np.random.default_rng(number).integers(0, _CODES, _PLACES)
    return Latent(_SPACE, codes.astype(np.float32))


def _full(network: CodeTransformer, codes: np.ndarray, states: np.ndarray | None = None) -> np.ndarray:
    """Logits [n, codes] of each place of a map after those before it, all in one pass."""
    told = []
    if network.reader is not None:
        padded = np.zeros((1, _TOKENS, _WIDTH), np.float32)
        length = 0 if states is None else len(states)
        if states is not None:
            padded[0, :length] = states
        told = [torch.from_numpy(padded), torch.tensor([length])]
    return network(torch.from_numpy(codes.reshape(1, -1).astype(np.int64)), *told)[0].numpy()


@pytest.mark.parametrize("context", [_PLAIN, _TOLD], ids=["plain", "told"])
def test_a_step_says_of_every_place_what_the_whole_pass_says(networks, context):
    network = networks[context]
    codes = torch.randint(_CODES, (4, _COUNT))
    told = [torch.randn(4, *_TOLD), torch.tensor([5, 2, 0, 3])] if context[0] else []
    whole = network(codes, *told)
    past = torch.randn(4, 4, 2, context[0] + _COUNT, 16)  # what is not there yet is anything
    if network.reader is not None:
        past[:, :, :, : context[0]] = network.reader(*told).unflatten(1, (4, 2))
    for place in range(_COUNT):
        before = codes[:, place - 1] if place else torch.full((4,), _CODES)
        logits, new = CodeStep(network)(before, torch.full((4,), place), *told[1:], *past.unbind(1))
        assert torch.allclose(logits, whole[:, place], atol=1e-4)
        past[:, :, :, context[0] + place] = new.unflatten(1, (4, 2))


@pytest.mark.parametrize("guidance", [0.0, 1.0, 2.5])
def test_what_is_drawn_is_what_the_whole_pass_says_of_each_place(networks, samplers, guidance):
    task = _draw(3, _TOLD, guidance=guidance, temperature=0.7, top_k=6)
    codes = run_one(samplers[_TOLD], task).content.mean.ravel().astype(np.int64)
    states = task.conditions.media[0].mean
    told, untold = _full(networks[_TOLD], codes, states), _full(networks[_TOLD], codes)
    led = untold + np.float32(guidance) * (told - untold)
    chooser, rng = TokenChooser(_CODES), RequestRng(3)
    sampling = SamplingParameters(temperature=0.7, top_k=6)
    for place in range(_COUNT):
        uniform = float(rng.uniform("code", place))
        assert codes[place] == chooser.choose(led[place], sampling, np.empty(0, np.int64), uniform)


def test_words_change_what_is_drawn(samplers):
    one, other = (
        Task(TaskKind.GENERATE, 7, conditions=_said(number), parameters=CodeParameters(temperature=0.0))
        for number in (4, 9)
    )
    assert bytes_of(run_one(samplers[_TOLD], one)) != bytes_of(run_one(samplers[_TOLD], other))


@pytest.mark.parametrize("context", [_PLAIN, _TOLD], ids=["plain", "told"])
def test_a_map_is_the_same_alone_and_among_others_at_any_place(samplers, context):
    sampler = samplers[context]
    tasks = [
        _draw(seed, context, **({"guidance": (0.0, 1.0, 3.0)[seed % 3]} if context[0] else {})) for seed in range(7)
    ]
    tasks += [
        Task(TaskKind.TRANSFORM, seed, source=_source(seed), mask=_mask(seed % 3), conditions=tasks[seed].conditions)
        for seed in range(4)
    ]
    alone = [bytes_of(run_one(sampler, task)) for task in tasks]
    assert [bytes_of(result) for result in run_all(sampler, tasks)] == alone
    # Whoever comes later finds the others in the middle of their maps.
    states, waiting, done = [], list(enumerate(tasks)), {}
    while waiting or states:
        if waiting:
            number, task = waiting.pop(0)
            states.append((number, sampler.start(task, RequestRng(task.seed, task.index))))
        for group in {sampler.group(state) for _, state in states}:
            sampler.step([state for _, state in states if sampler.group(state) == group])
        for number, state in [entry for entry in states if entry[1].done]:
            done[number] = bytes_of(sampler.result(state))
            sampler.release(state)
        states = [entry for entry in states if not entry[1].done]
    assert [done[number] for number in range(len(tasks))] == alone


@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize("kept_rows", [0, 1, 2])
def test_a_completion_keeps_the_codes_of_the_given_rows(samplers, kept_rows, size):
    source = _source()
    made = [
        run_one(samplers[_PLAIN], Task(TaskKind.TRANSFORM, seed, source=source, mask=_mask(kept_rows, size))).content
        for seed in range(4)
    ]
    assert all((one.mean[:kept_rows] == source.mean[:kept_rows]).all() for one in made)
    assert len({one.mean.tobytes() for one in made}) > 1


def test_what_is_drawn_follows_from_the_codes_that_are_kept(networks, samplers):
    source = _source(2)
    task = Task(TaskKind.TRANSFORM, 1, source=source, mask=_mask(2), parameters=CodeParameters(temperature=0.0))
    codes = run_one(samplers[_PLAIN], task).content.mean.ravel().astype(np.int64)
    assert (codes[8:] == _full(networks[_PLAIN], codes)[8:].argmax(1)).all()


def test_a_map_whose_end_is_given_is_done_when_nothing_is_left_to_draw(samplers):
    pixels = np.zeros((*_PLACES, 1), np.uint8)
    pixels[1, 1] = 255
    task = Task(TaskKind.TRANSFORM, 1, source=_source(), mask=Image(pixels))
    result = run_one(samplers[_PLAIN], task)
    assert result.usage.steps == 6
    assert result.usage.generated_tokens == 1
    changed = result.content.mean != _source().mean
    assert not np.delete(changed.ravel(), 5).any()


def test_previews_show_the_codes_so_far(samplers):
    (events,) = events_of_all(samplers[_PLAIN], [_draw(1, preview_every_steps=4)])
    shown = {event.body.step: event.body.preview for event in events if isinstance(event.body, Progress)}
    assert [step for step, preview in shown.items() if preview is not None] == [4, 8, 12]
    final = events[-1].body.content.mean
    assert (shown[8].mean.ravel()[:8] == final.ravel()[:8]).all()
    assert (shown[8].mean.ravel()[8:] == final.ravel()[0]).all()


def test_a_map_that_breaks_off_is_told_as_far_as_it_is(samplers):
    sampler = samplers[_TOLD]
    state = sampler.start(_draw(1, _TOLD), RequestRng(1))
    sampler.step([state])
    assert sampler.partial(state) is None
    sampler.step([state])
    assert sampler.partial(state).content.mean.shape == _PLACES
    sampler.release(state)


def test_slots_are_free_again_when_all_are_done(samplers):
    sampler = samplers[_TOLD]
    states = [sampler.start(_draw(seed, _TOLD), RequestRng(seed)) for seed in range(sampler.limits.slots // 2)]
    with pytest.raises(IndexError):
        sampler.start(_draw(1, _TOLD), RequestRng(1))
    for state in states:
        sampler.release(state)
    assert run_one(sampler, _draw(1, _TOLD)).content.mean.shape == _PLACES


def test_words_that_overflow_are_refused_and_leave_others_alone(samplers):
    sampler = samplers[_TOLD]
    huge = Conditions(media=(Latent(_WORDS, np.full((2, _WIDTH), 3e38, np.float32)),))
    bad = sampler.start(Task(TaskKind.GENERATE, 0, conditions=huge), RequestRng(0))
    good_task = _draw(2, _TOLD)
    good = sampler.start(good_task, RequestRng(2))
    sampler.step([bad, good])
    assert bad.done
    with pytest.raises(InvalidRequest) as refused:
        sampler.result(bad)
    assert refused.value.violations[0].field == "conditions.media"
    sampler.release(bad)
    while not good.done:
        sampler.step([good])
    assert bytes_of(sampler.result(good)) == bytes_of(run_one(sampler, good_task))
    sampler.release(good)


_GOOD = _source()


@pytest.mark.parametrize(
    ("context", "task", "field"),
    [
        (_PLAIN, Task(TaskKind.TRANSFORM, 0, source=_GOOD), "mask"),
        (_PLAIN, Task(TaskKind.TRANSFORM, 0, source=_GOOD, mask=_mask(3)), "mask"),
        (_PLAIN, Task(TaskKind.TRANSFORM, 0, source=_GOOD, mask=Image(np.zeros((5, 4, 1), np.uint8))), "mask"),
        (_PLAIN, Task(TaskKind.TRANSFORM, 0, mask=_mask(1)), "source"),
        (_PLAIN, Task(TaskKind.TRANSFORM, 0, source=Latent("else", _GOOD.mean), mask=_mask(1)), "source.space"),
        (
            _PLAIN,
            Task(TaskKind.TRANSFORM, 0, source=Latent(_SPACE, _GOOD.mean + 0.5), mask=_mask(1)),
            "source.mean.data",
        ),
        (
            _PLAIN,
            Task(TaskKind.TRANSFORM, 0, source=Latent(_SPACE, _GOOD.mean * 0 + _CODES), mask=_mask(1)),
            "source.mean.data",
        ),
        (_PLAIN, Task(TaskKind.TRANSFORM, 0, source=_GOOD, mask=_mask(1), strength=0.5), "strength"),
        (_PLAIN, Task(TaskKind.GENERATE, 0, source=_GOOD), "source"),
        (_PLAIN, Task(TaskKind.GENERATE, 0, mask=_mask(1)), "mask"),
        (_PLAIN, Task(TaskKind.GENERATE, 0, prompt="a face"), "prompt"),
        (_PLAIN, Task(TaskKind.GENERATE, 0, conditions=_said(1)), "conditions.media"),
        (_PLAIN, Task(TaskKind.GENERATE, 0, conditions=Conditions(class_label="hat")), "conditions.class_label"),
        (_PLAIN, Task(TaskKind.GENERATE, 0, size=Size(width_px=8)), "size.width_px"),
        (_PLAIN, Task(TaskKind.GENERATE, 0, parameters=CodeParameters(guidance=2.0)), "codes.guidance"),
        (_PLAIN, Task(TaskKind.GENERATE, 0, parameters=TextParameters()), "parameters"),
        (_TOLD, Task(TaskKind.GENERATE, 0), "conditions.media"),
        (
            _TOLD,
            Task(TaskKind.GENERATE, 0, conditions=Conditions(media=(Latent("else", np.zeros((1, _WIDTH))),))),
            "conditions.media",
        ),
        (
            _TOLD,
            Task(TaskKind.GENERATE, 0, conditions=Conditions(media=(Latent(_WORDS, np.zeros((6, _WIDTH))),))),
            "conditions.media",
        ),
        (
            _TOLD,
            Task(TaskKind.GENERATE, 0, conditions=Conditions(media=(Latent(_WORDS, np.full((1, _WIDTH), np.nan)),))),
            "conditions.media",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(samplers, context, task, field):
    with pytest.raises(InvalidRequest) as refused:
        run_one(samplers[context], task)
    assert refused.value.violations[0].field == field


def test_it_does_not_score(samplers):
    with pytest.raises(UnsupportedTask):
        run_one(samplers[_PLAIN], Task(TaskKind.SCORE, 0, source=_source()))


def test_guidance_costs_a_second_row(samplers):
    sampler = samplers[_TOLD]
    rows = [sampler.cost(_draw(0, _TOLD, guidance=scale)).rows for scale in (0.0, 1.0, 3.0)]
    assert rows == [1, 1, 2]
    assert samplers[_PLAIN].cost(_draw(0)).rows == 1


@pytest.mark.parametrize("context", [_PLAIN, _TOLD], ids=["plain", "told"])
def test_it_warms_up(bundles, samplers, context):
    assert len(run_all(samplers[context], FAMILY.warm_up(bundles[context]))) == 2


def test_a_bundle_of_another_codebook_than_its_network_is_refused(bundles):
    bundle = bundles[_PLAIN]
    network = bundle.manifest.network | {"codes": _CODES + 1}
    other = type(bundle)(bundle.path, bundle.manifest.model_copy(update={"network": network}), bundle.digest)
    with pytest.raises(BundleRefused, match="logits"):
        FAMILY.load(other, SessionConfig())


@pytest.mark.parametrize("context", [_PLAIN, _TOLD], ids=["plain", "told"])
def test_training_learns_which_code_follows(context):
    torch.manual_seed(0)
    training = CodeTraining(CodeTransformer(4, (2, 2), context, width=32, layers=1, heads=2, readers=1), rate=3e-3)
    first = torch.randint(4, (32, 1))
    codes = ((first + torch.arange(4)) % 4).to(torch.uint8)
    told = (torch.randn(32, *context), torch.full((32,), context[0])) if context[0] else ()
    nats = [float(training.step((codes, *told), step / 60)["nats"]) for step in range(60)]
    assert nats[-1] < 0.5 * nats[0]
