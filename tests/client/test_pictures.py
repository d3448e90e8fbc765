"""Pictures through the client, to a small conditional VAE behind a real gateway and back."""

import numpy as np
import PIL.Image
import pytest

from sextant.client import Answer, AsyncClient, Client, InvalidArgument, Unsupported, as_array, as_picture
from sextant.contract.events import Estimator
from sextant.contract.media import Image, Latent, Text
from sextant.contract.tasks import Conditions, GanParameters, VaeParameters
from tests.client.conftest import serving
from tests.families.vae.tiny import TinyVae

VAE = TinyVae(classes=("Sneaker", "bag"))
PIXELS = np.arange(12, dtype=np.uint8).reshape(4, 3) * 20


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    directory = tmp_path_factory.mktemp("vae")
    VAE.bundle(directory, inputs=("image", "latent"), outputs=("image", "latent"))
    with serving("sextant.families.vae:FAMILY", "tiny", directory) as address:
        yield address


@pytest.fixture(scope="module")
def client(address):
    with Client(address) as client:
        yield client


def test_pictures_of_a_class_are_generated_by_the_model_that_knows_it(client):
    stream = client.generate(output="image", class_label="SNEAKER", count=5, seed=3, vae=VaeParameters(temperature=0.5))
    stream.read()
    assert [(p.mode, p.size) for p in stream.pictures] == [("L", (3, 4))] * 5
    assert len({p.tobytes() for p in stream.pictures}) == 5
    assert stream.receipt.model == "tiny"
    again = client.generate(class_label="sneaker", count=5, seed=3, vae=VaeParameters(temperature=0.5), model="tiny")
    assert [p.tobytes() for p in again.read().pictures] == [p.tobytes() for p in stream.pictures]


def test_temperature_zero_gives_the_mean_of_the_class(client):
    stream = client.generate(class_label="bag", vae=VaeParameters(temperature=0.0)).read()
    mean = VAE.decode(np.zeros((1, 2), np.float32), label=1)[0, 0]
    assert np.abs(stream.answers[0].array[:, :, 0] - mean * 255).max() <= 0.51


def test_a_class_that_no_model_knows_and_one_that_the_named_model_does_not_know_are_told_apart(client):
    with pytest.raises(Unsupported, match="submarine"):
        client.generate(output="image", class_label="submarine").read()
    with pytest.raises(InvalidArgument, match="must be one of Sneaker, bag"):
        client.generate(class_label="submarine", model="tiny").read()


@pytest.mark.parametrize(
    "given", [PIXELS, PIXELS[:, :, None], PIL.Image.fromarray(PIXELS), Image(PIXELS[:, :, None]), "file", "bytes"]
)
def test_a_picture_may_be_given_in_any_form(client, tmp_path, given):
    path = tmp_path / "picture.png"
    PIL.Image.fromarray(PIXELS).save(path)
    content = {"file": path, "bytes": path.read_bytes()}.get(given, given) if isinstance(given, str) else given
    (mean,) = client.encode([content], model="tiny", class_label="bag")
    np.testing.assert_allclose(mean, VAE.encode(PIXELS[None] / 255, label=1)[0][0], rtol=1e-4)


def test_an_array_of_floats_goes_as_it_is_to_a_named_model(client):
    values = np.float32(PIXELS)[:, :, None] / 255
    (mean,) = client.encode([values], model="tiny", class_label="bag")
    np.testing.assert_allclose(mean, VAE.encode(values[None, :, :, 0], label=1)[0][0], rtol=1e-4)


def test_latents_come_with_their_space_and_decode_to_pictures(client):
    latents = client.latents([PIXELS, 255 - PIXELS], model="tiny", conditions=Conditions(class_label="bag"))
    assert [(latent.space, latent.variance.shape) for latent in latents] == [("tiny/z", (2,))] * 2
    decoded = client.decode(latents, class_label="bag")
    assert decoded.receipt.model == "tiny"
    expected = VAE.decode(np.stack([latent.mean for latent in latents]), label=1)
    for medium, image in zip(decoded, expected, strict=True):
        assert np.abs(as_array(medium)[:, :, 0] - image[0] * 255).max() <= 0.51
        assert as_picture(medium).size == (3, 4)
    other = client.decode(latents, class_label="sneaker")
    assert not np.array_equal(as_array(other[0]), as_array(decoded[0])), "the class changes what comes out"


def test_a_stream_of_latents_has_an_answer_for_each_item(client):
    stream = client.encode_stream([PIXELS, PIXELS], model="tiny", class_label="bag").read()
    assert [latent.space for latent in stream.media] == ["tiny/z"] * 2
    with pytest.raises(TypeError, match="a latent is no picture"):
        _ = stream.pictures


def test_a_path_begins_and_ends_at_what_its_ends_decode_to(client):
    stream = client.interpolate(PIXELS, 255 - PIXELS, frames=4, class_label="bag", path="linear")
    frames = [event for event in stream if isinstance(event, Answer)]
    assert sorted(frame.item for frame in frames) == [0, 1, 2, 3]
    ends = client.decode(client.latents([PIXELS, 255 - PIXELS], model="tiny", class_label="bag"), class_label="bag")
    assert np.array_equal(stream.answers[0].array, as_array(ends[0]))
    assert np.array_equal(stream.answers[3].array, as_array(ends[1]))
    assert len(stream.receipt.items) == 4


def test_a_traversal_moves_one_coordinate_from_minus_three_to_three(client):
    start = Latent("tiny/z", np.float32([0.5, 0.25]))
    stream = client.interpolate(start, frames=3, traverse_index=1, class_label="bag").read()
    points = np.float32([[0.5, -3], [0.5, 0], [0.5, 3]])
    for frame, image in zip(stream.media, VAE.decode(points, label=1), strict=True):
        assert np.abs(as_array(frame)[:, :, 0] - image[0] * 255).max() <= 0.51


def test_an_end_of_the_wrong_size_is_named_as_the_end_that_it_is(client):
    with pytest.raises(InvalidArgument) as refused:
        client.interpolate(PIXELS, PIXELS[:3], model="tiny", class_label="bag").read()
    assert [violation.field for violation in refused.value.fields] == ["end.image"]
    assert "3 x 3 pixels; the model takes 3 x 4" in str(refused.value)


def test_a_latent_of_another_space_is_the_callers_mistake(client):
    elsewhere = Latent("elsewhere", np.zeros(2, np.float32))
    with pytest.raises(InvalidArgument, match=r"latents\[0\]\.space"):
        client.decode([elsewhere], model="tiny", class_label="bag")
    with pytest.raises(InvalidArgument, match=r"start\.latent\.space"):
        client.interpolate(elsewhere, model="tiny", class_label="bag").read()


def test_pictures_are_scored_under_their_class_with_as_many_samples_as_asked_for(client):
    vae = VaeParameters(importance_samples=64)
    found = client.score([PIXELS, PIXELS], class_label="bag", model="tiny", seed=1, vae=vae)
    assert [(one.estimator, one.dimensions) for one in found] == [(Estimator.LOWER_BOUND, 12)] * 2
    assert found[0].log_likelihood_nats == found[1].log_likelihood_nats, "a score does not depend on the item's place"
    elbo = client.score([PIXELS], class_label="bag", model="tiny", seed=1, vae=VaeParameters(importance_samples=1))
    assert elbo[0].log_likelihood_nats != found[0].log_likelihood_nats


def test_parameters_of_another_family_are_refused(client):
    with pytest.raises(InvalidArgument, match="gan: is for a gan"):
        client.generate(output="image", gan=GanParameters(truncation=0.5), model="tiny").read()


async def test_the_asyncio_client_gives_the_same_pictures(address, client):
    plain = client.generate(class_label="bag", count=2, seed=3).read()
    path = client.interpolate(PIXELS, seed=4, frames=3, class_label="bag").read()
    async with AsyncClient(address) as asynchronous:
        stream = await asynchronous.generate(class_label="bag", count=2, seed=3).read()
        assert [p.tobytes() for p in stream.pictures] == [p.tobytes() for p in plain.pictures]
        walked = await asynchronous.interpolate(PIXELS, seed=4, frames=3, class_label="bag").read()
        assert [p.tobytes() for p in walked.pictures] == [p.tobytes() for p in path.pictures]
        latents = await asynchronous.latents([PIXELS], model="tiny", class_label="bag")
        decoded = await asynchronous.decode(latents, class_label="bag")
        assert as_picture(decoded[0]).size == (3, 4)
        streamed = await asynchronous.encode_stream([PIXELS], model="tiny", class_label="bag").read()
        assert np.array_equal(as_array(streamed.media[0]), latents[0].mean)


def test_what_has_no_numbers_is_no_array():
    with pytest.raises(TypeError, match="a text is no array"):
        as_array(Text("x"))
