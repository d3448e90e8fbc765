"""Image towers: pictures to where their captions lie."""

import numpy as np
import pytest
import torch

from sextant.contract.errors import InvalidRequest, UnsupportedTask
from sextant.contract.media import Image, Text
from sextant.contract.tasks import Task, TaskKind
from sextant.families.provenance import Provenance
from sextant.families.transformer import FAMILY
from sextant.families.transformer.tower_export import export_tower
from sextant.families.transformer.tower_networks import Tower
from sextant.families.transformer.tower_train import TowerTraining
from sextant.runtime.session import SessionConfig
from tests.families.running import bytes_of, run_all, run_one

SPACE = "tiny-words/sentence"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    torch.manual_seed(0)
    tower = Tower(16, 3, 6, width=16, layers=1)
    provenance = Provenance("Nothing.", "Untrained.")
    return export_tower(tower, tmp_path_factory.mktemp("b"), "tiny", SPACE, provenance=provenance)


@pytest.fixture(scope="module")
def sampler(bundle):
    return FAMILY.load(bundle, SessionConfig())


def looking(count: int) -> list[Task]:
    rng = np.random.default_rng(1)
    pictures = [Image(rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)) for _ in range(count)]
    return [Task(TaskKind.ENCODE, 0, source=picture) for picture in pictures]


def test_a_picture_becomes_a_unit_vector_in_the_text_encoders_space(sampler):
    latent = run_one(sampler, looking(1)[0]).content
    assert (latent.space, latent.mean.shape) == (SPACE, (6,))
    assert np.linalg.norm(latent.mean) == pytest.approx(1, abs=1e-5)


def test_a_row_is_the_same_alone_and_among_others(sampler):
    tasks = looking(5)
    assert [bytes_of(one) for one in run_all(sampler, tasks)] == [bytes_of(run_one(sampler, task)) for task in tasks]


def test_what_it_does_not_look_at_is_refused(sampler):
    with pytest.raises(InvalidRequest, match="must hold a picture"):
        run_one(sampler, Task(TaskKind.ENCODE, 0, source=Text("a cat")))
    with pytest.raises(UnsupportedTask):
        run_one(sampler, Task(TaskKind.GENERATE, 0))


def test_it_warms_up(bundle, sampler):
    assert len(run_all(sampler, FAMILY.warm_up(bundle))) == 1


def test_training_brings_pictures_to_their_captions():
    torch.manual_seed(0)
    shades = torch.randint(0, 256, (16, 3, 1, 1))
    texts = torch.nn.functional.normalize(torch.randn(16, 6), dim=1)
    pictures = shades.expand(-1, -1, 16, 16).to(torch.uint8)
    training = TowerTraining(Tower(16, 3, 6, width=16, layers=1), rate=1e-2)
    told = [training.step((pictures, texts), 0.1 + step / 100) for step in range(60)]
    assert float(told[-1]["loss"]) < 0.7 * float(told[0]["loss"])
    assert float(told[-1]["recall"]) > float(told[0]["recall"])
