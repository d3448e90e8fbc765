"""Music: piano rolls, keys, MIDI files, and a diffusion model of them as it is served."""

import io
from pathlib import Path

import mido
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sextant.contract.codecs.midi import check_midi
from sextant.contract.codecs.rendering import render
from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Image, Music, Text
from sextant.contract.tasks import Conditions, DiffusionParameters, DiffusionSampler, Size, Task, TaskKind
from sextant.families.diffusion.keys import KEYS, Key, Mode, find_key
from sextant.families.diffusion.midi import read_midi, to_midi
from sextant.families.diffusion.music_export import export_roll_unet
from sextant.families.diffusion.music_networks import RollUNet
from sextant.families.diffusion.music_sampler import DiffusionMusicSampler
from sextant.families.diffusion.piano_roll import HIGHEST, LOWEST, Score, to_roll, to_score
from sextant.families.diffusion.schedule import Schedule
from sextant.families.provenance import Provenance
from sextant.runtime.rng import RequestRng
from sextant.runtime.session import SessionConfig

BAR = 16
MAJOR_SCALE = (60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 60, 60)


@st.composite
def scores(draw) -> Score:
    """Any four voices of some bars, notes of any length, silences between."""
    length = draw(st.integers(1, 3)) * BAR
    pitch, onset = np.zeros((4, length), np.int64), np.zeros((4, length), np.bool_)
    for voice in range(4):
        at = 0
        while at < length:
            lasts = draw(st.integers(1, 9))
            note = draw(st.one_of(st.just(0), st.integers(LOWEST, HIGHEST)))
            pitch[voice, at : at + lasts], onset[voice, at] = note, note > 0
            at += lasts
    return Score(pitch, onset)


def melody(notes=MAJOR_SCALE, voice: int = 0, voices: int = 1) -> Score:
    """Quarters, one voice of several."""
    pitch = np.zeros((4, 4 * len(notes)), np.int64)
    for n in range(voices):
        pitch[voice + n] = np.repeat(np.array(notes) - 7 * n, 4)
    onset = np.zeros(pitch.shape, np.bool_)
    onset[:, ::4] = pitch[:, ::4] > 0
    return Score(pitch, onset)


@given(scores())
def test_a_score_comes_back_from_its_picture_and_from_its_midi_file(score):
    again = to_score(to_roll(score))
    assert (again.pitch == score.pitch).all()
    assert (again.onset == score.onset).all()
    silent = ~(score.pitch > 0).any(1)
    if silent.all():
        return
    music = to_midi(score, 84)
    check_midi(music.midi)
    read = read_midi(music, score.length, "source")
    sounding = np.flatnonzero(~silent)  # tracks without notes are no voices
    assert (read.pitch[: len(sounding)] == score.pitch[sounding]).all()
    assert (read.onset[: len(sounding)] == score.onset[sounding]).all()


def test_the_key_of_a_scale_is_found_wherever_it_stands():
    for semitones in range(12):
        assert find_key(melody().pitch + np.where(melody().pitch > 0, semitones, 0)) == Key(semitones, Mode.MAJOR)
    minor = melody((57, 59, 60, 62, 64, 65, 68, 69, 64, 60, 57, 57))
    assert str(find_key(minor.pitch)) == "A minor"
    assert len({str(key) for key in KEYS}) == 24
    assert {key.above_c for key in KEYS} == set(range(-5, 7))


def test_a_rendered_scale_sounds_at_its_pitches_and_neither_clips_nor_goes_on():
    sound = render(to_midi(melody((69,) * 4), 60), 22_050)
    assert sound.samples.shape[1] == 1
    assert sound.sample_rate_hz == 22_050
    assert np.abs(sound.samples).max() == pytest.approx(0.8, abs=1e-4)
    assert len(sound.samples) / 22_050 == pytest.approx(4.15, abs=0.01)
    spectrum = np.abs(np.fft.rfft(sound.samples[:, 0]))
    loudest_hz = spectrum.argmax() / (len(sound.samples) / 22_050)
    assert loudest_hz == pytest.approx(440, abs=1)


def test_what_is_no_music_is_not_rendered():
    with pytest.raises(InvalidRequest, match="damaged"):
        render(Music(b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x00\x60MTrk\x00\x00\x00\x02\x90\x3c"))


@pytest.fixture(scope="module")
def sampler(tmp_path_factory) -> DiffusionMusicSampler:
    return DiffusionMusicSampler.load(_bundle(tmp_path_factory.mktemp("bundles")), SessionConfig())


def _bundle(directory: Path):
    torch.manual_seed(0)
    network = RollUNet(4 * BAR, len(KEYS), width=16, coarse=16)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return export_roll_unet(
        network,
        directory,
        "tiny-music",
        schedule=Schedule.COSINE,
        tempo_bpm=60.0,
        provenance=Provenance("Nothing.", "Untrained."),
        defaults={"sampler": "ddpm", "steps": 4, "guidance": 1.0},
    )


def source() -> Music:
    return to_midi(melody(), 84)


def run(sampler, tasks, together: bool = True) -> list[bytes]:
    states = [sampler.start(task, RequestRng(task.seed, task.index)) for task in tasks]
    while pending := [state for state in states if not state.done]:
        for some in [pending] if together else [[state] for state in pending]:
            sampler.step(some)
    return [sampler.result(state).content.midi for state in states]


def transform(index: int = 0, music=None, **attributes: str) -> Task:
    conditions = Conditions(attributes=attributes)
    return Task(TaskKind.TRANSFORM, 3, index, source=music or source(), conditions=conditions)


def test_pieces_of_any_kind_share_calls_and_get_the_bytes_they_get_alone(sampler):
    tasks = [
        Task(TaskKind.GENERATE, 3, 0),
        Task(TaskKind.GENERATE, 3, 1, conditions=Conditions(class_label="g major")),
        Task(
            TaskKind.GENERATE,
            3,
            2,
            parameters=DiffusionParameters(DiffusionSampler.DPM_SOLVER_PP_2M, steps=3, guidance=2.0),
        ),
        transform(3),
        transform(4, keep_beats="6", tempo_bpm="120"),
    ]
    assert run(sampler, tasks) == run(sampler, tasks, together=False)


def test_the_voices_that_a_source_has_stay_to_the_note_and_the_rest_is_composed(sampler):
    made = read_midi(Music(run(sampler, [transform()])[0]), 4 * BAR, "made")
    kept = melody().padded(4 * BAR)
    assert (made.pitch[0] == kept.pitch[0]).all()
    assert (made.onset[0] == kept.onset[0]).all()
    assert (made.pitch[1:] > 0).any()


def test_a_beginning_stays_to_the_beat_and_goes_on_otherwise(sampler):
    whole = to_midi(melody(voices=4), 84)
    made = read_midi(Music(run(sampler, [transform(music=whole, keep_beats="5")])[0]), 4 * BAR, "made")
    given_notes = melody(voices=4)
    assert (made.pitch[:, :20] == given_notes.pitch[:, :20]).all()
    assert (made.pitch[:, 20:] != given_notes.padded(4 * BAR).pitch[:, 20:]).any()


def test_the_tempo_says_how_long_it_lasts(sampler):
    slow, fast = (
        mido.MidiFile(file=io.BytesIO(midi)).length for midi in run(sampler, [transform(), transform(tempo_bpm="120")])
    )
    assert slow == pytest.approx(2 * fast, rel=1e-6)


def test_previews_are_music(sampler):
    task = Task(TaskKind.GENERATE, 1, parameters=DiffusionParameters(preview_every_steps=1))
    state = sampler.start(task, RequestRng(1))
    sampler.step([state])
    preview = sampler.preview(state)
    assert isinstance(preview, Music)
    assert check_midi(preview.midi) is None
    assert sampler.partial(state).content == preview


def two_notes_at_once() -> Music:
    file = mido.MidiFile(type=1)
    track = mido.MidiTrack([mido.Message("note_on", note=n, velocity=64, time=0) for n in (60, 64)])
    track += [mido.Message("note_off", note=n, time=480) for n in (60, 64)]
    file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return Music(out.getvalue())


def endless() -> Music:
    file = mido.MidiFile(type=1)
    file.tracks.append(mido.MidiTrack([mido.Message("note_on", note=60, velocity=64, time=0)]))
    out = io.BytesIO()
    file.save(file=out)
    return Music(out.getvalue())


REFUSED = [
    (Task(TaskKind.GENERATE, 0, conditions=Conditions(class_label="H major")), "conditions.class_label"),
    (Task(TaskKind.GENERATE, 0, conditions=Conditions(attributes={"keep": "bass"})), "conditions.attributes[keep]"),
    (Task(TaskKind.GENERATE, 0, size=Size(duration_s=5)), "size.duration_s"),
    (Task(TaskKind.GENERATE, 0, source=source()), "source"),
    (transform(music=Text("la la la")), "source.music"),
    (transform(music=Image(np.zeros((2, 2, 1), np.uint8))), "source.music"),
    (transform(music=Music(b"MThd")), "source.music.midi"),
    (transform(music=two_notes_at_once()), "source.music.midi"),
    (transform(music=endless()), "source.music.midi"),
    (transform(music=to_midi(melody(MAJOR_SCALE * 2), 84)), "source.music.midi"),
    (transform(music=to_midi(melody((96, 96)), 84)), "source.music.midi"),
    (transform(music=to_midi(melody(MAJOR_SCALE + (60,) * 4, voices=4), 84)), "source.music"),
    (transform(keep="violin"), "conditions.attributes[keep]"),
    (transform(keep="bass"), "conditions.attributes[keep]"),
    (transform(keep_beats="many"), "conditions.attributes[keep_beats]"),
    (transform(keep_beats="nan"), "conditions.attributes[keep_beats]"),
    (transform(tempo_bpm="9999"), "conditions.attributes[tempo_bpm]"),
    (transform(colour="blue"), "conditions.attributes[colour]"),
    (Task(TaskKind.GENERATE, 0, parameters=DiffusionParameters(steps=5000)), "diffusion.steps"),
    (
        Task(TaskKind.GENERATE, 0, parameters=DiffusionParameters(sampler=DiffusionSampler.FLOW_EULER)),
        "diffusion.sampler",
    ),
]


@pytest.mark.parametrize(("task", "field"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_cannot_be_is_refused_by_its_field(sampler, task, field):
    with pytest.raises(InvalidRequest) as refused:
        sampler.start(task, RequestRng(0))
    assert refused.value.violations[0].field == field
