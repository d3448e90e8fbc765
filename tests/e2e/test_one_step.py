"""Every bundle that ships, of pictures, tables, sound and music, through the whole platform over real gRPC."""

import io
import math
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from PIL import Image

from sextant.bundles.store import SHIPPED_DIRECTORY, open_bundle
from sextant.contract.media import Latent
from sextant.contract.tasks import TaskKind
from sextant.contract.to_wire import latent_message, tensor_message
from sextant.contract.v1 import generation_pb2, media_pb2, models_pb2
from tests.conftest import ROOT
from tests.e2e.conftest import without_timing

BUNDLES = {path.name: open_bundle(path).manifest for path in sorted(SHIPPED_DIRECTORY.iterdir()) if path.is_dir()}
FASHION = np.load(ROOT / "tests/data/fashion.npz")
FACE = np.asarray(Image.open(ROOT / "services/sextant/samples/face-green-hair.png").convert("RGB"))
TOLD = {"context", "vector", "given"}  # what a stage of a hybrid cannot do without
SHUTTLE = np.load(ROOT / "tests/data/shuttle.npz")


def models_that(task: TaskKind, *, output: str = "") -> list[str]:
    """Of pictures, tables, sound and music: what reads words has its own tests, as have hybrids and their stages."""
    return [
        name
        for name, m in BUNDLES.items()
        if task in m.tasks and (not output or output in m.outputs) and m.family not in ("transformer", "hybrid")
        if task is not TaskKind.GENERATE or not TOLD & m.network.keys()
    ]


def options(model: str, seed: int = 3) -> generation_pb2.Options:
    return generation_pb2.Options(model=model, seed=seed)


def picture(pixels: np.ndarray) -> media_pb2.Media:
    """uint8[h, w, c] as PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return media_pb2.Media(image=media_pb2.Image(format=media_pb2.IMAGE_FORMAT_PNG, data=file.getvalue()))


def pixels(image: media_pb2.Image) -> np.ndarray:
    array = np.asarray(Image.open(io.BytesIO(image.data)))
    return array[:, :, None] if array.ndim == 2 else array


def array(tensor: media_pb2.Tensor) -> np.ndarray:
    return np.frombuffer(tensor.data, np.float32).reshape(tuple(tensor.shape))


def size_of(model: str) -> tuple[int, int, int]:
    network = BUNDLES[model].network
    return network["height"], network["width"], network["channels"]


def results(events) -> dict[int, media_pb2.Media]:
    return {event.result.item: event.result.media for event in events if event.WhichOneof("event") == "result"}


def own_picture(stubs, model: str) -> media_pb2.Media:
    """Something that the model takes: real clothes or a drawn face where they fit, else what it or its kin makes."""
    height, width, channels = size_of(model)
    if (height, width, channels) == (28, 28, 1):
        return picture(FASHION["images"][0])
    if FACE.shape == (height, width, channels):
        return picture(FACE)
    if TaskKind.GENERATE in BUNDLES[model].tasks:
        request = generation_pb2.GenerateRequest(options=options(model))
        return next(iter(results(stubs.generation.Generate(request)).values()))
    rng = np.random.default_rng(0)
    return picture(rng.integers(0, 256, size=(height, width, channels), dtype=np.uint8))


def refused(call) -> tuple[grpc.StatusCode, dict[str, str]]:
    """The code of a refusal, and the reason for each field that it names."""
    with pytest.raises(grpc.RpcError) as caught:
        answer = call()
        if hasattr(answer, "__next__"):
            list(answer)
    fields = {}
    status = rpc_status.from_call(caught.value)
    for detail in status.details if status else ():
        found = error_details_pb2.BadRequest()
        if detail.Unpack(found):
            fields |= {violation.field: violation.description for violation in found.field_violations}
    return caught.value.code(), fields


def test_every_family_ships_models_and_all_are_served_with_their_parity(stubs):
    assert {"vae", "gan", "flow", "diffusion", "autoregressive", "transformer", "hybrid"} == {
        manifest.family for manifest in BUNDLES.values()
    }
    served = {model.name for model in stubs.models.ListModels(models_pb2.ListModelsRequest()).models}
    assert set(BUNDLES) <= served
    for name, manifest in BUNDLES.items():
        if manifest.family == "hybrid":  # its stages have theirs
            continue
        assert manifest.parity is not None
        assert manifest.parity.max_rel_error <= 1e-4, name
        assert manifest.parity.reference.startswith(("torch", "float64 NumPy"))


@pytest.mark.parametrize("model", models_that(TaskKind.GENERATE, output="image"))
def test_every_picture_model_makes_pictures_of_its_size_that_differ(stubs, model):
    request = generation_pb2.GenerateRequest(options=options(model), count=4)
    events = list(stubs.generation.Generate(request))
    made = [pixels(medium.image) for medium in results(events).values()]
    assert [image.shape for image in made] == [size_of(model)] * 4
    assert all(image.std() > 5 for image in made)
    assert len({image.tobytes() for image in made}) == 4
    assert events[-1].receipt.model == model


@pytest.mark.parametrize("model", models_that(TaskKind.GENERATE))
def test_the_same_seed_gives_the_same_bytes_alone_and_among_others(stubs, model):
    request = generation_pb2.GenerateRequest(options=options(model, seed=11), count=3)
    alone = without_timing(list(stubs.generation.Generate(request)))
    others = [generation_pb2.GenerateRequest(options=options(model, seed=n), count=2) for n in range(12)]
    with ThreadPoolExecutor(16) as pool:
        noise = [pool.submit(lambda r: list(stubs.generation.Generate(r)), other) for other in others]
        again = [pool.submit(lambda: without_timing(list(stubs.generation.Generate(request)))) for _ in range(4)]
        assert all(one.result()[-1] == alone[-1] for one in again)
        for future in noise:
            future.result()


@pytest.mark.parametrize("model", [name for name, m in BUNDLES.items() if m.network.get("classes")])
def test_a_conditional_model_makes_every_class_and_refuses_others(stubs, model):
    classes = BUNDLES[model].network["classes"]
    made = {}
    for label in classes:
        conditions = generation_pb2.Conditions(class_label=label.upper())
        request = generation_pb2.GenerateRequest(options=options(model), conditions=conditions)
        (medium,) = results(stubs.generation.Generate(request)).values()
        made[label] = medium.SerializeToString(deterministic=True)
    assert len(set(made.values())) == len(classes)
    wrong = generation_pb2.GenerateRequest(
        options=options(model), conditions=generation_pb2.Conditions(class_label="submarine")
    )
    code, fields = refused(lambda: stubs.generation.Generate(wrong))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert classes[0] in fields["conditions.class_label"]


@pytest.mark.parametrize("model", [m for m in models_that(TaskKind.ENCODE) if BUNDLES[m].family in ("vae", "flow")])
def test_what_is_encoded_can_be_decoded(stubs, model):
    manifest = BUNDLES[model]
    if manifest.network.get("columns"):
        pytest.skip("tables have a test of their own")
    given = own_picture(stubs, model)
    conditions = generation_pb2.Conditions(class_label="ankle boot" if manifest.network.get("classes") else "")
    request = generation_pb2.EncodeRequest(options=options(model), items=[given], conditions=conditions)
    latents = stubs.generation.Encode(request).latents
    assert latents[0].space == manifest.latent_spaces[0].id
    answer = stubs.generation.Decode(
        generation_pb2.DecodeRequest(options=options(model), latents=latents, conditions=conditions)
    )
    error = np.abs(pixels(answer.items[0].image).astype(int) - pixels(given.image).astype(int)).mean()
    assert error == 0 if manifest.family == "flow" else error < 40


@pytest.mark.parametrize("model", models_that(TaskKind.INTERPOLATE))
def test_a_path_has_its_frames_and_they_move(stubs, model):
    request = generation_pb2.InterpolateRequest(options=options(model), frames=5)
    frames = results(stubs.generation.Interpolate(request))
    assert sorted(frames) == list(range(5))
    contents = {medium.SerializeToString() for medium in frames.values()}
    assert len(contents) == 5


def test_a_path_between_two_pictures_begins_and_ends_with_them(stubs):
    start, end = picture(FASHION["images"][0]), picture(FASHION["images"][1])
    for model, most in (("fashion-glow", 0.0), ("fashion-vae", 40.0)):
        request = generation_pb2.InterpolateRequest(options=options(model), start=start, end=end, frames=4)
        frames = results(stubs.generation.Interpolate(request))
        for frame, given in ((0, FASHION["images"][0]), (3, FASHION["images"][1])):
            assert np.abs(pixels(frames[frame].image).astype(int) - given).mean() <= most


def test_the_emoji_translator_changes_a_picture_both_ways(stubs):
    source = media_pb2.Media(
        image=media_pb2.Image(
            format=media_pb2.IMAGE_FORMAT_PNG, data=(ROOT / "services/sextant/samples/noto-tulip.png").read_bytes()
        )
    )
    made = {}
    for direction in ("noto-to-fluent", "fluent-to-noto"):
        conditions = generation_pb2.Conditions(attributes={"direction": direction})
        request = generation_pb2.TransformRequest(options=options(""), source=source, conditions=conditions)
        events = list(stubs.generation.Transform(request))
        assert events[-1].receipt.model == "emoji-cyclegan"
        made[direction] = pixels(results(events)[0].image)
        assert made[direction].shape == (64, 64, 3)
    assert np.abs(made["noto-to-fluent"].astype(int) - made["fluent-to-noto"]).mean() > 2


def test_a_gan_finds_the_latent_of_a_picture_that_it_made(stubs):
    made = own_picture_of(stubs, "fashion-dcgan")
    request = generation_pb2.EncodeRequest(
        options=options("fashion-dcgan"), items=[made], gan=generation_pb2.GanParameters(inversion_steps=12)
    )
    events = list(stubs.generation.EncodeStream(request))
    steps = [event.progress.step for event in events if event.WhichOneof("event") == "progress"]
    assert steps == sorted(steps)
    assert steps[-1] <= 12
    latent = results(events)[0].latent
    answer = stubs.generation.Decode(generation_pb2.DecodeRequest(options=options("fashion-dcgan"), latents=[latent]))
    target = pixels(made.image).astype(int)
    found = np.abs(pixels(answer.items[0].image).astype(int) - target).mean()
    other = np.abs(pixels(own_picture_of(stubs, "fashion-dcgan", seed=99).image).astype(int) - target).mean()
    assert found < 0.5 * other


def own_picture_of(stubs, model: str, seed: int = 3) -> media_pb2.Media:
    request = generation_pb2.GenerateRequest(options=options(model, seed))
    return results(stubs.generation.Generate(request))[0]


def test_exact_likelihoods_tell_clothes_from_noise_and_name_their_kind(stubs):
    rng = np.random.default_rng(0)
    real = [picture(image) for image in FASHION["images"][:6]]
    noise = [picture(rng.integers(0, 256, size=(28, 28, 1), dtype=np.uint8)) for _ in range(6)]
    guided = generation_pb2.Options(guarantees={"exact_likelihood": True})
    answer = stubs.generation.Score(generation_pb2.ScoreRequest(options=guided, items=real + noise))
    assert answer.receipt.model == "fashion-glow"
    assert {likelihood.estimator for likelihood in answer.likelihoods} == {models_pb2.ESTIMATOR_EXACT}
    nats = [likelihood.log_likelihood_nats for likelihood in answer.likelihoods]
    assert min(nats[:6]) > max(nats[6:])
    for likelihood in answer.likelihoods:
        assert likelihood.dimensions == 784
        bits = -likelihood.log_likelihood_nats / (math.log(2) * 784)
        assert likelihood.bits_per_dimension == pytest.approx(bits)


@pytest.mark.parametrize("model", [m for m in models_that(TaskKind.SCORE) if "audio" not in BUNDLES[m].inputs])
def test_a_score_is_the_same_in_a_batch_and_alone(stubs, model):
    manifest = BUNDLES[model]
    if manifest.network.get("columns"):
        values = SHUTTLE["values"] if model == "shuttle-realnvp" else np.float32([[0, 0.5], [1, -0.5], [3, 3]])
        items = [table(manifest.network["columns"], row[None]) for row in values[:3]]
    else:
        items = [own_picture(stubs, model)] * 2 + [picture_of_size(size_of(model))]
    conditions = generation_pb2.Conditions(class_label="bag" if manifest.network.get("classes") else "")

    def score(some):
        request = generation_pb2.ScoreRequest(options=options(model), items=some, conditions=conditions)
        return [likelihood.log_likelihood_nats for likelihood in stubs.generation.Score(request).likelihoods]

    assert score(items) == [score([item])[0] for item in items]


def picture_of_size(size: tuple[int, int, int]) -> media_pb2.Media:
    return picture(np.full(size, 90, np.uint8))


def table(columns: list[str], values: np.ndarray) -> media_pb2.Media:
    return media_pb2.Media(table=media_pb2.Table(columns=columns, values=tensor_message(values.astype(np.float32))))


def test_a_table_is_generated_encoded_and_decoded_without_loss(stubs):
    columns = BUNDLES["shuttle-realnvp"].network["columns"]
    request = generation_pb2.GenerateRequest(
        options=options("shuttle-realnvp"), output=media_pb2.MODALITY_TABLE, size=generation_pb2.Size(rows=5)
    )
    made = results(stubs.generation.Generate(request))[0].table
    assert list(made.columns) == columns
    assert array(made.values).shape == (5, len(columns))
    row = SHUTTLE["values"][:1]
    encode = generation_pb2.EncodeRequest(options=options("shuttle-realnvp"), items=[table(columns, row)])
    latents = stubs.generation.Encode(encode).latents
    decode = generation_pb2.DecodeRequest(options=options("shuttle-realnvp"), latents=latents)
    back = array(stubs.generation.Decode(decode).items[0].table.values)
    np.testing.assert_allclose(back, row, rtol=1e-4, atol=1e-2)


def test_anomalous_telemetry_is_less_likely_than_normal(stubs):
    columns = BUNDLES["shuttle-realnvp"].network["columns"]
    items = [table(columns, row[None]) for row in SHUTTLE["values"]]
    answer = stubs.generation.Score(generation_pb2.ScoreRequest(options=options("shuttle-realnvp"), items=items))
    nats = np.array([likelihood.log_likelihood_nats for likelihood in answer.likelihoods])
    normal, strange = nats[~SHUTTLE["anomalous"]], nats[SHUTTLE["anomalous"]]
    ranked = (normal[:, None] > strange[None, :]).mean()  # area under the ROC curve
    assert ranked > 0.95


def test_bounds_are_called_bounds(stubs):
    request = generation_pb2.ScoreRequest(
        options=options("fashion-vae"),
        items=[picture(FASHION["images"][0])],
        vae=generation_pb2.VaeParameters(importance_samples=200),
    )
    (likelihood,) = stubs.generation.Score(request).likelihoods
    assert likelihood.estimator == models_pb2.ESTIMATOR_LOWER_BOUND
    assert likelihood.standard_error_nats > 0


def test_attributes_are_edited_in_the_code_of_a_flow(stubs):
    sneaker = FASHION["images"][FASHION["labels"] == 7][0]
    conditions = generation_pb2.Conditions(attributes={"high-top": "1"})
    request = generation_pb2.TransformRequest(
        options=options("fashion-glow"), source=picture(sneaker), conditions=conditions
    )
    made = pixels(results(stubs.generation.Transform(request))[0].image)
    assert made.shape == (28, 28, 1)
    assert made[:14].mean() > sneaker[:14].mean()  # it grew upwards


BAD_LATENT = latent_message(Latent("faces-vae/z", np.zeros(10, np.float32)))


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        (
            "Decode",
            generation_pb2.DecodeRequest(options=options("fashion-vae"), latents=[BAD_LATENT]),
            "latents[0].space",
        ),
        (
            "Decode",
            generation_pb2.DecodeRequest(
                options=options("fashion-vae"),
                latents=[latent_message(Latent("fashion-vae/z", np.zeros(3, np.float32)))],
            ),
            "latents[0]",
        ),
        (
            "Score",
            generation_pb2.ScoreRequest(
                options=options("fashion-glow"), items=[picture(np.zeros((32, 32, 1), np.uint8))]
            ),
            "items[0].image",
        ),
        (
            "Score",
            generation_pb2.ScoreRequest(
                options=options("fashion-vae"),
                items=[media_pb2.Media(tensor=tensor_message(np.full((28, 28, 1), np.nan, np.float32)))],
            ),
            "items[0].tensor",
        ),
        (
            "Encode",
            generation_pb2.EncodeRequest(
                options=options("fashion-vae"), items=[picture(np.zeros((28, 29, 1), np.uint8))]
            ),
            "items[0].image",
        ),
        (
            "Generate",
            generation_pb2.GenerateRequest(
                options=options("fashion-dcgan"), conditions=generation_pb2.Conditions(class_label="bag")
            ),
            "conditions.class_label",
        ),
        (
            "Interpolate",
            generation_pb2.InterpolateRequest(
                options=options("fashion-vae"), start=picture(np.zeros((8, 8, 1), np.uint8))
            ),
            "start.image",
        ),
        (
            "Interpolate",
            generation_pb2.InterpolateRequest(options=options("fashion-vae"), traverse_index=16),
            "traverse_index",
        ),
        (
            "Generate",
            generation_pb2.GenerateRequest(
                options=options("fashion-dcgan"), gan=generation_pb2.GanParameters(mixing_layer=3)
            ),
            "gan.mixing_layer",
        ),
        (
            "Transform",
            generation_pb2.TransformRequest(
                options=options("emoji-cyclegan"),
                source=picture(np.zeros((64, 64, 3), np.uint8)),
                conditions=generation_pb2.Conditions(attributes={"direction": "sideways"}),
            ),
            "conditions.attributes",
        ),
    ],
)
def test_bad_input_is_refused_with_its_field(stubs, method, request_, field):
    code, fields = refused(lambda: getattr(stubs.generation, method)(request_))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert any(name.startswith(field) for name in fields), fields
