"""VAEs whose code keeps the picture's places."""

import numpy as np
import pytest
import torch

from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.media import Image, Latent
from sextant.contract.tasks import Conditions, Task, TaskKind
from sextant.families.provenance import Provenance
from sextant.families.vae import FAMILY
from sextant.families.vae.spatial_export import export_spatial_vae
from sextant.families.vae.spatial_networks import SpatialVae
from sextant.families.vae.spatial_train import SpatialTraining
from sextant.runtime.session import SessionConfig
from tests.families.running import bytes_of, run_all, run_one


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    torch.manual_seed(0)
    vae = SpatialVae(16, 3, 4, width=8, downs=2)
    return export_spatial_vae(
        vae, tmp_path_factory.mktemp("b"), "tiny", provenance=Provenance("Nothing.", "Untrained.")
    )


@pytest.fixture(scope="module")
def sampler(bundle):
    return FAMILY.load(bundle, SessionConfig())


def pictures(count: int) -> list[Image]:
    rng = np.random.default_rng(1)
    return [Image(rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)) for _ in range(count)]


def test_a_picture_goes_to_a_map_and_back(sampler):
    latent = run_one(sampler, Task(TaskKind.ENCODE, 0, source=pictures(1)[0])).content
    assert (latent.space, latent.mean.shape) == ("tiny/z", (4, 4, 4))
    assert latent.variance.shape == (4, 4, 4)
    picture = run_one(sampler, Task(TaskKind.DECODE, 0, source=latent)).content
    assert picture.pixels.shape == (16, 16, 3)


def test_a_row_is_the_same_alone_and_among_others(sampler):
    tasks = [Task(TaskKind.ENCODE, 0, source=picture) for picture in pictures(5)]
    together = run_all(sampler, tasks)
    assert [bytes_of(one) for one in together] == [bytes_of(run_one(sampler, task)) for task in tasks]
    codes = [Task(TaskKind.DECODE, 0, source=result.content) for result in together]
    assert [bytes_of(one) for one in run_all(sampler, codes)] == [bytes_of(run_one(sampler, code)) for code in codes]


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (Task(TaskKind.DECODE, 0, source=Latent("else/z", np.zeros((4, 4, 4)))), "latents[0].space"),
        (Task(TaskKind.DECODE, 0, source=Latent("tiny/z", np.zeros((4, 4)))), "latents[0].mean.shape"),
        (Task(TaskKind.ENCODE, 0, source=Image(np.zeros((8, 8, 3), np.uint8))), "items[0].image"),
        (
            Task(TaskKind.ENCODE, 0, source=pictures(1)[0], conditions=Conditions(class_label="hat")),
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


def test_training_lowers_the_error():
    torch.manual_seed(0)
    training = SpatialTraining(SpatialVae(8, 3, 4, width=8, downs=1), rate=1e-2)
    shades = torch.randint(0, 256, (16, 3, 1, 1)).expand(-1, -1, 8, 8).to(torch.uint8)
    errors = [float(training.step((shades,), step / 40)["error"]) for step in range(30)]
    assert errors[-1] < 0.6 * errors[0]
