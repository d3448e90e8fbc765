"""Pictures as codes of a codebook, and back."""

import numpy as np
import onnxruntime as ort
import pytest
import torch

from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.media import Image, Latent
from sextant.contract.tasks import Conditions, Task, TaskKind
from sextant.families.gan import FAMILY
from sextant.families.gan.vq_export import export_vq
from sextant.families.gan.vq_networks import Codebook, VqGan
from sextant.families.gan.vq_sampler import Coding
from sextant.families.gan.vq_train import VqGanTraining, follow, revive, similarity
from sextant.families.provenance import Provenance
from sextant.runtime.session import SessionConfig
from tests.families.running import bytes_of, run_all, run_one

_SIZE, _CODES, _PLACES = 32, 12, (8, 8)


def _pictures(count: int) -> list[Image]:
    rng = np.random.default_rng(1)
    return [Image(rng.integers(0, 256, (_SIZE, _SIZE, 3)).astype(np.uint8)) for _ in range(count)]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = VqGan(_SIZE, 3, codes=_CODES, depth=4, width=8, patch=2)
    with torch.no_grad():
        revive(model.codebook, model.encoder(torch.rand(8, 3, _SIZE, _SIZE)))
    return model


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory):
    return export_vq(
        model,
        torch.rand(16, 3, _SIZE, _SIZE),
        tmp_path_factory.mktemp("b"),
        "tiny",
        provenance=Provenance("Nothing.", "Untrained."),
    )


@pytest.fixture(scope="module")
def sampler(bundle):
    return FAMILY.load(bundle, SessionConfig())


def _encoded(sampler, picture: Image) -> Latent:
    return run_one(sampler, Task(TaskKind.ENCODE, 0, source=picture)).content


def test_a_picture_goes_to_codes_and_back(sampler):
    latent = _encoded(sampler, _pictures(1)[0])
    assert (latent.space, latent.mean.shape, latent.variance) == ("tiny/codes", _PLACES, None)
    assert set(np.unique(latent.mean)) <= set(range(_CODES))
    assert len(np.unique(latent.mean)) > 1
    assert run_one(sampler, Task(TaskKind.DECODE, 0, source=latent)).content.pixels.shape == (_SIZE, _SIZE, 3)


def test_codes_are_those_that_torch_finds_nearest(bundle, model, sampler):
    pictures = _pictures(6)
    served = np.stack([_encoded(sampler, picture).mean for picture in pictures])
    pixels = torch.from_numpy(np.stack([picture.pixels for picture in pictures])).permute(0, 3, 1, 2).float() / 255
    half = VqGan(_SIZE, 3, codes=_CODES, depth=4, width=8, patch=2)
    half.load_state_dict(model.state_dict())
    with torch.no_grad():
        for parameter in half.parameters():
            parameter.copy_(parameter.half().float())
        distances = half.codebook.distances(half.encoder(pixels))
    two = distances.topk(2, dim=1, largest=False).values
    clear = (two[:, 1] - two[:, 0] > 1e-5).numpy()
    assert clear.mean() > 0.99
    assert (served[clear] == distances.argmin(1).numpy()[clear]).all()


def test_of_two_codes_that_are_as_near_the_first_is_taken():
    state = Coding(0, np.zeros((3, _SIZE, _SIZE), np.float32), "tiny/codes")
    distances = np.full((1, 5, 2, 2), 3.0, np.float32)
    distances[0, [1, 3]] = 2.0
    state.take({"distances": distances})
    assert (state.codes == 1).all()


def test_a_code_tells_of_its_own_surroundings_alone(sampler):
    picture = _pictures(1)[0].pixels.copy()
    changed = picture.copy()
    changed[_SIZE // 2 :] = 255 - changed[_SIZE // 2 :]
    first, second = (_encoded(sampler, Image(pixels)).mean for pixels in (picture, changed))
    assert (first[:2] == second[:2]).all()
    assert (first[4:] != second[4:]).any()


def test_a_row_is_the_same_alone_and_among_others(sampler):
    tasks = [Task(TaskKind.ENCODE, 0, source=picture) for picture in _pictures(5)]
    together = run_all(sampler, tasks)
    assert [bytes_of(one) for one in together] == [bytes_of(run_one(sampler, task)) for task in tasks]
    codes = [Task(TaskKind.DECODE, 0, source=result.content) for result in together]
    assert [bytes_of(one) for one in run_all(sampler, codes)] == [bytes_of(run_one(sampler, code)) for code in codes]


def _codes(value: float) -> Latent:
    return Latent("tiny/codes", np.full(_PLACES, value, np.float32))


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (Task(TaskKind.DECODE, 0, source=Latent("else/codes", np.zeros(_PLACES))), "latents[0].space"),
        (Task(TaskKind.DECODE, 0, source=Latent("tiny/codes", np.zeros((8,)))), "latents[0].mean.shape"),
        (Task(TaskKind.DECODE, 0, source=_codes(_CODES)), "latents[0].mean.data"),
        (Task(TaskKind.DECODE, 0, source=_codes(-1)), "latents[0].mean.data"),
        (Task(TaskKind.DECODE, 0, source=_codes(0.5)), "latents[0].mean.data"),
        (Task(TaskKind.DECODE, 0, source=_codes(np.nan)), "latents[0].mean.data"),
        (Task(TaskKind.DECODE, 0, source=_pictures(1)[0]), "latents[0]"),
        (Task(TaskKind.ENCODE, 0, source=Image(np.zeros((8, 8, 3), np.uint8))), "items[0].image"),
        (Task(TaskKind.ENCODE, 0, source=_codes(0)), "items[0].image"),
        (
            Task(TaskKind.ENCODE, 0, source=_pictures(1)[0], conditions=Conditions(class_label="hat")),
            "conditions.class_label",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_its_field(sampler, task, field):
    with pytest.raises(InvalidRequest) as refused:
        run_one(sampler, task)
    assert refused.value.violations[0].field == field


def test_it_does_not_generate(sampler):
    with pytest.raises(UnsupportedTask):
        run_one(sampler, Task(TaskKind.GENERATE, 0))


def test_it_warms_up(bundle, sampler):
    assert len(run_all(sampler, FAMILY.warm_up(bundle))) == 2


def test_decoding_is_at_parity_with_torch(bundle):
    assert 0 <= bundle.manifest.parity.max_rel_error <= 1e-4
    session = ort.InferenceSession(str(bundle.file("decoder.onnx")), providers=["CPUExecutionProvider"])
    (picture,) = session.run(None, {"codes": np.zeros((2, *_PLACES), np.int64)})
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_training_lowers_the_error_and_uses_the_codebook():
    torch.manual_seed(0)
    training = VqGanTraining(VqGan(16, 3, codes=16, depth=4, width=8, patch=2), judge_width=8, rate=3e-3)
    shades = (torch.randint(0, 2, (32, 1, 2, 2)) * 255).expand(-1, 3, -1, -1).to(torch.uint8)
    shades = shades.repeat_interleave(8, 2).repeat_interleave(8, 3)
    told = [training.step((shades,), step / 60) for step in range(60)]
    assert float(told[-1]["error"]) < 0.6 * float(told[0]["error"])
    assert float(told[-1]["used"]) > 0.5
    assert "judged" not in told[0]
    assert 0 < float(told[-1]["weight"]) < 100


def test_a_code_that_stands_for_nothing_is_revived_and_another_stays():
    torch.manual_seed(0)
    codebook = Codebook(4, 2)
    given = torch.randn(2, 2, 3, 3)
    revive(codebook, given)
    vectors = {tuple(vector.tolist()) for vector in given.permute(0, 2, 3, 1).reshape(-1, 2)}
    assert all(tuple(vector.tolist()) in vectors for vector in codebook.vectors)
    codebook.counts[:] = torch.tensor([9.0, 0.0, 9.0, 9.0])
    before = codebook.vectors.clone()
    revive(codebook, given + 10)
    assert (codebook.vectors[[0, 2, 3]] == before[[0, 2, 3]]).all()
    assert (codebook.vectors[1] > 5).all()


def test_a_code_moves_to_the_mean_of_what_it_stands_for():
    codebook = Codebook(2, 1)
    codebook.vectors.copy_(torch.tensor([[0.0], [10.0]]))
    given = torch.tensor([1.0, 3.0, 11.0]).reshape(1, 1, 1, 3)
    for _ in range(600):
        follow(codebook, given, codebook.distances(given).argmin(1))
    assert codebook.vectors.flatten().tolist() == pytest.approx([2.0, 11.0], abs=1e-3)


def test_a_picture_is_most_like_itself():
    picture = torch.rand(2, 3, 32, 32)
    assert float(similarity(picture, picture)) == pytest.approx(1.0, abs=1e-4)
    assert float(similarity(picture, torch.rand(2, 3, 32, 32))) < 0.5
