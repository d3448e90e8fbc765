"""WaveNet: the cached steps beside the full forward pass, and as it is served."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sextant.bundles.store import Bundle
from sextant.contract.errors import InvalidRequest
from sextant.contract.events import Estimator
from sextant.contract.media import Audio
from sextant.contract.tasks import AutoregressiveParameters, Conditions, Size, Task, TaskKind
from sextant.families.autoregressive import mu_law
from sextant.families.autoregressive.drawing import drawing
from sextant.families.autoregressive.wave_export import export_wavenet
from sextant.families.autoregressive.wave_networks import FRAME, WaveNet
from sextant.families.autoregressive.wave_sampler import WaveNetSampler
from sextant.families.provenance import Provenance
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig

RATE, MOST = 8000, 4 * FRAME
CLASSES, VOICES = ("0", "1"), ("low", "high")
SOUND = Audio((0.5 * np.sin(np.arange(200) / 3))[:, None].astype(np.float32), RATE)


def tiny_bundle(directory: Path) -> Bundle:
    torch.manual_seed(0)
    network = WaveNet(2, 2, width=8, skip=16, dilations=(1, 2, 4, 128))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)  # so that what comes before matters
    return export_wavenet(
        network,
        directory,
        "tiny-wavenet",
        classes=CLASSES,
        voices=VOICES,
        sample_rate_hz=RATE,
        most_samples=MOST,
        provenance=Provenance("Nothing.", "Untrained."),
    )


@pytest.fixture(scope="module")
def sampler(tmp_path_factory) -> WaveNetSampler:
    return WaveNetSampler.load(tiny_bundle(tmp_path_factory.mktemp("bundles")), SessionConfig())


def task(kind: TaskKind = TaskKind.GENERATE, index: int = 0, label: str = "1", voice: str = "high", **rest) -> Task:
    return Task(kind, 5, index, conditions=Conditions(label, {"voice": voice} if voice else {}), **rest)


def run(sampler, tasks):
    states = [sampler.start(one, RequestRng(one.seed, one.index)) for one in tasks]
    while pending := [state for state in states if not state.done]:
        sampler.step(pending)
    return [sampler.result(state) for state in states]


def full_logits(sampler, levels: np.ndarray, label: int, voice: int) -> np.ndarray:
    fed = {"level": levels[None].astype(np.int64), "label": np.int64([label]), "voice": np.int64([voice])}
    return sampler._networks["sound"].run(fed)["logits"][0]


def test_no_sample_sees_itself_or_what_comes_after():
    torch.manual_seed(1)
    network = WaveNet(2, 2, width=8, skip=16, dilations=(1, 2, 4, 128)).eval()
    level, one = torch.randint(256, (1, MOST)), torch.tensor([1])
    with torch.no_grad():
        before = network(level, one, one)
        for place in (0, 79, 80, 200, MOST - 1):
            changed = level.clone()
            changed[0, place] = 255 - changed[0, place]
            moved = (network(changed, one, one) - before).abs().sum(2)[0] > 0
            assert not moved[: place + 1].any()
            assert place == MOST - 1 or moved[place + 1]


def test_every_sample_is_drawn_from_what_the_full_forward_pass_says_of_it(sampler):
    for temperature, top_p in ((1.0, 1.0), (0.0, 1.0), (0.8, 0.9)):
        given = AutoregressiveParameters(temperature, top_p)
        made = run(sampler, [task(index=index, label=CLASSES[index % 2], parameters=given) for index in range(3)])
        for index, result in enumerate(made):
            levels = mu_law.to_levels(result.content.samples[:, 0])
            rng = RequestRng(5, index)
            uniform = np.concatenate([rng.uniform("sample", frame, (FRAME,)) for frame in range(MOST // FRAME)])
            logits = full_logits(sampler, levels, index % 2, 1)
            again = drawing(np.full(MOST, temperature), np.full(MOST, top_p))(logits, uniform)
            assert (again == levels).all()


def test_the_chunks_are_the_sound_and_come_frame_by_frame(sampler):
    state = sampler.start(task(), RequestRng(5, 0))
    chunks = []
    while not state.done:
        sampler.step([state])
        chunks.append(sampler.delta(state).samples)
        assert len(sampler.partial(state).content.samples) == len(chunks) * FRAME
    assert {len(chunk) for chunk in chunks} == {FRAME}
    whole = sampler.result(state).content
    assert (np.concatenate(chunks) == whole.samples).all()
    assert whole.sample_rate_hz == RATE
    assert len(whole.samples) == MOST


def test_a_sound_is_the_same_alone_and_among_others_at_other_frames(sampler):
    tasks = [task(index=i, label=CLASSES[i % 2], voice=VOICES[i // 2]) for i in range(4)]
    alone = [run(sampler, [one])[0].content.samples.tobytes() for one in tasks]
    states = []
    for one in tasks:
        states.append(sampler.start(one, RequestRng(one.seed, one.index)))
        sampler.step([state for state in states if not state.done])
    while pending := [state for state in states if not state.done]:
        sampler.step(pending)
    assert [sampler.result(state).content.samples.tobytes() for state in states] == alone
    assert len(set(alone)) == 4


def test_a_shorter_sound_is_the_beginning_of_a_longer_one(sampler):
    short, whole = run(sampler, [task(size=Size(duration_s=0.015)), task()])
    assert len(short.content.samples) == 2 * FRAME
    assert (whole.content.samples[: 2 * FRAME] == short.content.samples).all()


def test_scores_are_exact_the_same_in_a_batch_and_of_the_given_samples_alone(sampler):
    sounds = [SOUND, Audio(SOUND.samples[:100], RATE), Audio(np.zeros((MOST, 1), np.float32), RATE)]
    tasks = [task(TaskKind.SCORE, index, source=sound) for index, sound in enumerate(sounds)]
    together = [result.content for result in run(sampler, tasks)]
    assert together == [run(sampler, [one])[0].content for one in tasks]
    assert [found.dimensions for found in together] == [200, 100, MOST]
    assert {found.estimator for found in together} == {Estimator.EXACT}
    levels = mu_law.to_levels(SOUND.samples[:, 0])
    padded = np.full(MOST, mu_law.SILENCE, np.uint8)
    padded[:200] = levels
    logits = full_logits(sampler, padded, 1, 1).astype(np.float64)[:200]
    nats = logits[np.arange(200), levels] - np.log(np.exp(logits).sum(1))
    assert together[0].log_likelihood_nats == pytest.approx(nats.sum(), rel=1e-6)


def test_levels_survive_the_way_to_samples_and_back():
    levels = np.arange(256, dtype=np.uint8)
    assert (mu_law.to_levels(mu_law.to_samples(levels)) == levels).all()
    sound = np.linspace(-1, 1, 1001)
    assert np.abs(mu_law.to_samples(mu_law.to_levels(sound)) - sound).max() < 0.023


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (task(label="7"), "conditions.class_label"),
        (task(voice="deep"), "conditions.attributes[voice]"),
        (Task(TaskKind.GENERATE, 0, conditions=Conditions("1", {"mood": "glad"})), "conditions.attributes[mood]"),
        (task(size=Size(duration_s=0.05)), "size.duration_s"),
        (task(size=Size(width_px=3)), "size.width_px"),
        (task(prompt="seven"), "prompt"),
        (task(TaskKind.SCORE), "items[0].audio"),
        (task(TaskKind.SCORE, source=Audio(SOUND.samples, 16_000)), "items[0].audio"),
        (task(TaskKind.SCORE, source=Audio(np.zeros((MOST + 1, 1), np.float32), RATE)), "items[0].audio"),
        (task(TaskKind.SCORE, source=Audio(np.zeros((9, 2), np.float32), RATE)), "items[0].audio"),
        (task(TaskKind.SCORE, label="", source=SOUND), "conditions.class_label"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_field(sampler, asked, field):
    with pytest.raises(InvalidRequest) as refused:
        sampler.start(asked, RequestRng(0))
    assert refused.value.violations[0].field == field
