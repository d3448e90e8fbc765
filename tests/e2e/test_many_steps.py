"""Diffusion, PixelCNN, WaveNet and sequence to sequence through the whole platform, over real gRPC."""

import io
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import mido
import numpy as np
import pytest
import soundfile

from sextant.contract.codecs.rendering import render
from sextant.contract.media import Music
from sextant.contract.v1 import generation_pb2, media_pb2
from tests.conftest import Platform
from tests.e2e.conftest import score_request, text_request, without_timing
from tests.e2e.test_one_step import FASHION, options, picture, pixels, refused, results
from tests.e2e.test_streams import gauge, wait_for

LOWER = picture(np.repeat(np.repeat(np.array([[0], [255]], np.uint8), 14, 0), 28, 1)[:, :, None]).image
Sampler = generation_pb2.DiffusionSampler


def generate(model: str, *, label: str = "", attributes: dict[str, str] | None = None, seed: int = 3, **rest):
    conditions = generation_pb2.Conditions(class_label=label, attributes=attributes or {})
    return generation_pb2.GenerateRequest(options=options(model, seed), conditions=conditions, **rest)


def diffusion(**parameters) -> generation_pb2.DiffusionParameters:
    return generation_pb2.DiffusionParameters(**parameters)


def kinds(events) -> list[str]:
    return [event.WhichOneof("event") for event in events]


def sound(audio: media_pb2.Audio) -> np.ndarray:
    samples, rate = soundfile.read(io.BytesIO(audio.data), dtype="float32")
    assert rate == 8000
    return samples


def test_previews_come_with_the_progress_they_are_asked_for_and_near_the_result(stubs):
    request = generate("fashion-diffusion", label="bag", diffusion=diffusion(steps=12, preview_every_steps=3))
    events = list(stubs.generation.Generate(request))
    told = [event.progress for event in events if event.WhichOneof("event") == "progress"]
    previews = {progress.step: progress.preview for progress in told if progress.HasField("preview")}
    assert sorted(previews) == [3, 6, 9, 12] or sorted(previews) == [3, 6, 9]
    made = pixels(results(events)[0].image).astype(int)
    far, near = (np.abs(pixels(previews[step].image).astype(int) - made).mean() for step in (3, 9))
    assert near < far


def test_every_rule_draws_the_class_from_the_same_noise(stubs):
    made = {}
    for name in ("DDPM", "DDIM", "EULER", "DPM_SOLVER_PP_2M"):
        given = diffusion(sampler=Sampler.Value(f"DIFFUSION_SAMPLER_{name}"), steps=25)
        events = list(stubs.generation.Generate(generate("fashion-diffusion", label="trouser", diffusion=given)))
        made[name] = pixels(results(events)[0].image).astype(int)
    # Those that draw no noise on the way arrive near each other.
    assert np.abs(made["DDIM"] - made["DPM_SOLVER_PP_2M"]).mean() < 25
    assert len({array.tobytes() for array in made.values()}) == 4


@pytest.mark.parametrize("model", ["fashion-diffusion", "fashion-pixelcnn"])
def test_half_a_picture_is_completed_and_the_other_half_stays(stubs, model):
    given = FASHION["images"][0]
    request = generation_pb2.TransformRequest(options=options(model), source=picture(given), mask=LOWER)
    made = pixels(results(stubs.generation.Transform(request))[0].image)
    assert (made[:14] == given[:14]).all()
    assert (made[14:] != given[14:]).any()


def test_exact_likelihoods_and_bounds_tell_clothes_from_noise(stubs):
    noise = picture(np.random.default_rng(0).integers(0, 256, (28, 28, 1), dtype=np.uint8))
    for model in ("fashion-pixelcnn", "fashion-diffusion"):
        request = generation_pb2.ScoreRequest(
            options=options(model), items=[picture(FASHION["images"][0]), picture(FASHION["images"][1]), noise]
        )
        found = stubs.generation.Score(request).likelihoods
        assert min(found[0].log_likelihood_nats, found[1].log_likelihood_nats) > found[2].log_likelihood_nats + 500


def test_sound_comes_as_it_is_made_and_its_pieces_are_the_whole(stubs):
    request = generate("digits-wavenet", label="3", attributes={"voice": "low"})
    events = list(stubs.generation.Generate(request))
    pieces = [event.chunk.audio for event in events if event.WhichOneof("event") == "chunk"]
    assert len(pieces) > 5
    whole = sound(results(events)[0].audio)
    assert len(whole) == 4800
    joined = np.concatenate([np.frombuffer(piece.data, "<i2") for piece in pieces]) / np.float32(32768)
    np.testing.assert_array_equal(joined.astype(np.float32), whole)
    assert kinds(events).index("chunk") < kinds(events).index("result")


def test_music_is_composed_in_a_key_and_a_melody_is_harmonised(stubs):
    events = list(stubs.generation.Generate(generate("bach-diffusion", label="G major")))
    free = results(events)[0].music.midi
    assert mido.MidiFile(file=io.BytesIO(free)).length > 15
    assert np.abs(render(Music(free)).samples).max() <= 0.8001
    conditions = generation_pb2.Conditions(attributes={"keep": "soprano"})
    request = generation_pb2.TransformRequest(
        options=options("bach-diffusion", seed=9),
        source=media_pb2.Media(music=media_pb2.Music(midi=free)),
        conditions=conditions,
    )
    other = results(stubs.generation.Transform(request))[0].music.midi
    melody, bass = (tracks(free)[voice] == tracks(other)[voice] for voice in ("soprano", "bass"))
    assert melody
    assert not bass


def tracks(midi: bytes) -> dict[str, list[str]]:
    """The notes of each voice."""
    file = mido.MidiFile(file=io.BytesIO(midi))
    return {track.name: [str(message) for message in track if message.type.startswith("note")] for track in file.tracks}


def test_a_word_becomes_its_phonemes_by_one_beam_and_by_several_and_likelier_than_another(stubs):
    for beams in (1, 4):
        events = list(stubs.generation.Generate(text_request("hello", model="us-phonemes", beams=beams)))
        assert results(events)[0].text.content.startswith("h")
    right, wrong = stubs.generation.Score(score_request("kˈæt", "dˈɔɡ", model="us-phonemes", context="cat")).likelihoods
    assert right.log_likelihood_nats > wrong.log_likelihood_nats + 5


def test_words_that_name_no_model_never_go_to_one_that_writes_phonemes(stubs):
    events = list(stubs.generation.Generate(text_request("Say something.", max_tokens=2)))
    assert events[-1].receipt.model != "us-phonemes"


FAMILIES = {
    "fashion-diffusion": "diffusion",
    "digits-wavenet": "autoregressive",
    "fashion-pixelcnn": "autoregressive",
}
LONG = {
    "fashion-diffusion": generate("fashion-diffusion", label="coat", diffusion=diffusion(steps=1000), count=2),
    "digits-wavenet": generate("digits-wavenet", label="8", count=16),
    "fashion-pixelcnn": generate("fashion-pixelcnn", label="coat", count=64),
}


def assert_its_rows_are_free_and_no_step_is_taken(platform: Platform, model: str) -> None:
    assert wait_for(lambda: sum(gauge(platform, "sextant_slots_taken", FAMILIES[model], model)) == 0, 2.0)
    steps = sum(gauge(platform, "sextant_step_rows_sum", FAMILIES[model], model))
    time.sleep(0.3)
    assert sum(gauge(platform, "sextant_step_rows_sum", FAMILIES[model], model)) == steps


@pytest.mark.parametrize("model", sorted(LONG))
def test_the_bytes_are_the_same_alone_and_among_requests_of_every_other_kind(stubs, model):
    kinds_of_one = {
        "fashion-diffusion": [
            generate(model, label="bag", seed=5, diffusion=diffusion(steps=12, guidance=guidance, sampler=sampler))
            for guidance, sampler in ((1.0, 1), (2.5, 2), (1.5, 3), (3.0, 4))
        ],
        "digits-wavenet": [
            generate(model, label=label, seed=5, size=generation_pb2.Size(duration_s=0.2), autoregressive=given)
            for label, given in (
                ("1", None),
                ("2", generation_pb2.AutoregressiveParameters(top_p=0.8)),
                ("3", generation_pb2.AutoregressiveParameters(temperature=0.5)),
            )
        ],
        "fashion-pixelcnn": [
            generate(model, label="bag", seed=5),
            generate(model, seed=5, autoregressive=generation_pb2.AutoregressiveParameters(top_p=0.8)),
        ],
    }[model]
    alone = [without_timing(list(stubs.generation.Generate(request))) for request in kinds_of_one]
    calls = [stubs.generation.Generate(request) for request in kinds_of_one * 3]
    with ThreadPoolExecutor(len(calls)) as readers:
        together = [without_timing(events) for events in readers.map(list, calls)]
    for number, events in enumerate(together):
        assert events == alone[number % len(alone)]


@pytest.mark.parametrize("model", sorted(LONG))
def test_a_cancelled_request_frees_its_rows_within_a_step(platform: Platform, stubs, model):
    call = stubs.generation.Generate(LONG[model])
    for _ in range(6):
        next(call)
    assert sum(gauge(platform, "sextant_slots_taken", FAMILIES[model], model)) > 0
    call.cancel()
    assert_its_rows_are_free_and_no_step_is_taken(platform, model)


@pytest.mark.parametrize("model", ["digits-wavenet", "fashion-diffusion"])
def test_at_a_deadline_the_estimate_so_far_comes_where_it_is_asked_for(platform: Platform, stubs, model):
    request = {
        "fashion-diffusion": generate(model, label="coat", diffusion=diffusion(steps=1000), count=8),
        "digits-wavenet": generate(model, label="8", count=64),
    }[model]
    with pytest.raises(grpc.RpcError) as expired:
        list(stubs.generation.Generate(request, timeout=2.0))
    assert expired.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert_its_rows_are_free_and_no_step_is_taken(platform, model)
    request.options.partial_on_deadline = True
    events = list(stubs.generation.Generate(request, timeout=2.0))
    found = [event.result for event in events if event.WhichOneof("event") == "result"]
    assert len(found) == request.count
    for result in found:
        assert result.finish_reason == generation_pb2.FINISH_REASON_DEADLINE
        if model == "digits-wavenet":
            assert 0 < len(sound(result.media.audio)) < 4800
        else:
            assert pixels(result.media.image).shape == (28, 28, 1)
    assert kinds(events)[-1] == "receipt"
    assert_its_rows_are_free_and_no_step_is_taken(platform, model)


@pytest.mark.parametrize("model", sorted(LONG))
def test_a_replica_that_dies_on_the_way_changes_no_byte(platform: Platform, stubs, model):
    family = FAMILIES[model]
    platform.wait_for_replicas(family, 1)
    whole = without_timing(list(stubs.generation.Generate(LONG[model])))
    events = []
    for event in stubs.generation.Generate(LONG[model], timeout=90):
        events.append(event)
        if len(events) == 12:
            for replica in platform.replicas(family):
                replica.send_signal(signal.SIGKILL)
    assert without_timing(events) == whole
    assert events[-1].receipt.retries >= 1
    platform.wait_for_replicas(family, 1)


SMALL = picture(np.zeros((14, 14, 1), np.uint8)).image
CLOTHES = picture(FASHION["images"][0])
BAD = [
    (generate("fashion-diffusion", diffusion=diffusion(steps=0)), "diffusion.steps"),
    (generate("fashion-diffusion", diffusion=diffusion(steps=10_000)), "diffusion.steps"),
    (generate("fashion-diffusion", diffusion=diffusion(guidance=float("nan"))), "diffusion.guidance"),
    (generate("fashion-diffusion", diffusion=diffusion(sampler=77)), "diffusion.sampler"),
    (
        generate("fashion-diffusion", diffusion=diffusion(sampler=Sampler.Value("DIFFUSION_SAMPLER_LCM"))),
        "diffusion.sampler",
    ),
    (generate("fashion-diffusion", diffusion=diffusion(eta=0.5)), "diffusion.eta"),
    (
        generate("fashion-diffusion", autoregressive=generation_pb2.AutoregressiveParameters(top_p=0.5)),
        "autoregressive",
    ),
    (
        generate("fashion-pixelcnn", autoregressive=generation_pb2.AutoregressiveParameters(top_p=2)),
        "autoregressive.top_p",
    ),
    (generate("digits-wavenet", label="3", size=generation_pb2.Size(duration_s=60)), "size.duration_s"),
    (generate("digits-wavenet", label="eleven"), "conditions.class_label"),
    (generate("digits-wavenet", label="3", attributes={"voice": "bass"}), "conditions.attributes[voice]"),
    (generate("bach-diffusion", label="H major"), "conditions.class_label"),
    (text_request("hello 3", model="us-phonemes"), "prompt"),
    (text_request("hello", model="us-phonemes", beams=1000), "text.beams"),
    (
        generation_pb2.TransformRequest(options=options("fashion-diffusion"), source=CLOTHES, mask=SMALL),
        "mask",
    ),
    (generation_pb2.TransformRequest(options=options("fashion-pixelcnn"), source=CLOTHES), "mask"),
    (generation_pb2.TransformRequest(options=options("fashion-pixelcnn"), source=CLOTHES, mask=SMALL), "mask"),
]


@pytest.mark.parametrize(("request_", "field"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_bad_input_is_refused_with_its_field(stubs, request_, field):
    transforms = isinstance(request_, generation_pb2.TransformRequest)
    method = stubs.generation.Transform if transforms else stubs.generation.Generate
    code, fields = refused(lambda: method(request_))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in fields, fields
