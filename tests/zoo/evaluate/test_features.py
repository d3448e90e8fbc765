"""The feature network learns, repeats itself, and keeps."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sextant.zoo.evaluate.features import (
    accuracy,
    features,
    load,
    predict,
    save,
    train_attribute_classifier,
    train_classifier,
)


def _bars(count: int, size: int, channels: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Noise with a bright bar: lying, standing, or none. Which it is and how dark the noise is are the labels."""
    rng = np.random.default_rng(seed)
    values = np.stack([rng.integers(3, size=count), rng.integers(2, size=count)], axis=1)
    images = rng.integers(60, size=(count, size, size, channels), dtype=np.uint8)
    images[values[:, 1] == 1] += 60
    for image, (kind, _) in zip(images, values, strict=True):
        place = rng.integers(4, size - 4)
        image[place if kind == 0 else slice(0), :] = 255
        image[:, place if kind == 1 else slice(0)] = 255
    return images, values


def test_a_classifier_learns_what_it_has_not_seen() -> None:
    images, values = _bars(640, 16, 1, seed=0)
    unseen, wanted = _bars(200, 16, 1, seed=1)
    net = train_classifier(images, values[:, 0], epochs=4)
    assert accuracy(net, unseen, wanted[:, 0]) > 0.9
    assert predict(net, unseen).shape == (200,)


def test_an_attribute_classifier_learns_every_label() -> None:
    images, values = _bars(640, 40, 3, seed=0)
    unseen, wanted = _bars(100, 40, 3, seed=1)
    net = train_attribute_classifier(images, values, {"bar": 3, "light": 2}, epochs=10, smoothing=0.05)
    told = predict(net, unseen)
    assert told.shape == (100, 2)
    assert (told == wanted).mean(0) == pytest.approx(1, abs=0.1)


def test_training_repeats_itself_and_reports_each_step() -> None:
    images, values = _bars(256, 16, 1, seed=0)
    reported: list[tuple[int, int, float]] = []
    nets = [
        train_classifier(images, values[:, 0], epochs=1, seed=seed, progress=lambda *said: reported.append(said))
        for seed in (3, 3, 4)
    ]
    found = [features(net, images[:10]) for net in nets]
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()
    assert [said[:2] for said in reported] == [(1, 2), (2, 2)] * 3
    assert reported[:2] == reported[2:4]


def test_a_saved_network_answers_the_same_when_it_is_back(tmp_path: Path) -> None:
    images, values = _bars(256, 40, 3, seed=0)
    net = train_attribute_classifier(images, values, {"bar": 3, "light": 2}, epochs=1)
    save(net, tmp_path / "net.safetensors")
    back = load(tmp_path / "net.safetensors")
    assert back.heads == {"bar": 3, "light": 2}
    assert (features(net, images) == features(back, images)).all()
    assert (predict(net, images) == predict(back, images)).all()


def test_features_of_a_picture_are_nearly_the_same_in_any_company() -> None:
    images, values = _bars(256, 16, 1, seed=0)
    net = train_classifier(images, values[:, 0], epochs=1)
    found = features(net, images)
    assert found.dtype == np.float32
    assert found.shape == (256, 128)
    np.testing.assert_allclose(found[7:8], features(net, images[7:8]), atol=1e-5)


def test_labels_that_do_not_fit_are_refused() -> None:
    images, values = _bars(128, 16, 1, seed=0)
    with pytest.raises(ValueError, match="bar must lie in 0 to 1"):
        train_attribute_classifier(images, values, {"bar": 2, "light": 2})
    with pytest.raises(ValueError, match="uint8"):
        train_classifier(images.astype(np.float32), values[:, 0])
