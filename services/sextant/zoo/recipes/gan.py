"""GANs: DCGAN and BigGAN-style on Fashion-MNIST, ProGAN and StyleGAN on rendered faces, CycleGAN between emoji."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.gan.cycle_networks import CycleGenerator
from sextant.families.gan.cycle_train import CycleTraining
from sextant.families.gan.export import export_generator, export_style_generator, export_translators
from sextant.families.gan.networks import BigganDiscriminator, BigganGenerator, DcganDiscriminator, DcganGenerator
from sextant.families.gan.progressive_networks import ProganDiscriminator, ProganGenerator
from sextant.families.gan.style_networks import StyleDiscriminator, StyleGenerator
from sextant.families.gan.style_train import ProganTraining, Stage, StyleTraining
from sextant.families.gan.train import BigganTraining, DcganTraining
from sextant.families.provenance import Provenance
from sextant.zoo.data import emoji, faces, fashion
from sextant.zoo.recipe import Recipe

FACES = 20_000
_WIDTHS = (64, 64, 64, 32, 16)  # channels at 4, 8, 16, 32 and 64 pixels
_PROGAN_STEPS = 5_800
_GROWTH = (
    Stage(level=0, until=250 / _PROGAN_STEPS, fading=0.0),
    Stage(level=1, until=1_000 / _PROGAN_STEPS, fading=250 / _PROGAN_STEPS),
    Stage(level=2, until=3_900 / _PROGAN_STEPS, fading=400 / _PROGAN_STEPS),
    Stage(level=3, until=4_550 / _PROGAN_STEPS, fading=250 / _PROGAN_STEPS),
    Stage(level=4, until=1.0, fading=150 / _PROGAN_STEPS),
)


def _fashion_signed() -> tuple[Tensor, Tensor]:
    """Pictures float[n, 1, 28, 28] in [-1, 1], and labels."""
    images, labels = fashion.load("train")
    pictures = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float() / 127.5 - 1
    return pictures, torch.from_numpy(labels)


def _faces() -> tuple[Tensor]:
    return (torch.from_numpy(faces.load(FACES, 64, 0).images).permute(0, 3, 1, 2),)


def _emoji() -> tuple[Tensor, Tensor]:
    pairs = emoji.load(held_out=False)
    return torch.from_numpy(pairs.noto).permute(0, 3, 1, 2), torch.from_numpy(pairs.fluent).permute(0, 3, 1, 2)


def _dcgan() -> DcganTraining:
    return DcganTraining(DcganGenerator(64, 28, 1, 64), DcganDiscriminator(28, 1, 64))


def _biggan() -> BigganTraining:
    classes = len(fashion.CLASSES)
    return BigganTraining(BigganGenerator(96, classes, 28, 1, 32), BigganDiscriminator(classes, 1, 32), classes)


def _progan() -> ProganTraining:
    return ProganTraining(ProganGenerator(64, _WIDTHS), ProganDiscriminator(_WIDTHS), _GROWTH)


def _stylegan() -> StyleTraining:
    return StyleTraining(StyleGenerator(64, 64, 4, _WIDTHS), StyleDiscriminator(_WIDTHS))


def _cyclegan() -> CycleTraining:
    return CycleTraining(CycleGenerator(16, 6), CycleGenerator(16, 6), width=24)


def _generator_publisher(
    architecture: str,
    shape: tuple[int, int, int],
    provenance: Provenance,
    *,
    classes: Sequence[str] = (),
    level: int | None = None,
) -> Callable[..., Bundle]:
    def publish(training: DcganTraining | BigganTraining | ProganTraining, name: str, directory: Path) -> Bundle:
        return export_generator(
            training.average.module,
            directory,
            name,
            architecture=architecture,
            shape=shape,
            classes=classes,
            level=level,
            provenance=provenance,
        )

    return publish


def _publish_stylegan(training: StyleTraining, name: str, directory: Path) -> Bundle:
    return export_style_generator(
        training.average.module,
        directory,
        name,
        size=64,
        truncation=0.8,
        provenance=Provenance(
            "Pixel-art faces, 64 x 64, with styles to mix and truncate (StyleGAN).", faces.PROVENANCE
        ),
    )


def _publish_cyclegan(training: CycleTraining, name: str, directory: Path) -> Bundle:
    noto, _ = _emoji()
    return export_translators(
        {"noto-to-fluent": training.there_average.module, "fluent-to-noto": training.back_average.module},
        noto[:8].float() / 255,
        directory,
        name,
        provenance=Provenance("Emoji from Noto to Fluent 3D style and back, 64 x 64 (CycleGAN).", emoji.PROVENANCE),
    )


RECIPES = (
    Recipe(
        name="fashion-dcgan",
        family="gan",
        summary="DCGAN on Fashion-MNIST: clothes, 28 x 28, in one step.",
        data=lambda: _fashion_signed()[:1],
        build=_dcgan,
        publish=_generator_publisher(
            "dcgan", (1, 28, 28), Provenance("Clothes, 28 x 28, grey, in one step (DCGAN).", fashion.PROVENANCE)
        ),
        steps=11_000,
        batch=64,
        core_hours=0.47,
    ),
    Recipe(
        name="fashion-biggan",
        family="gan",
        summary="BigGAN-style GAN on Fashion-MNIST: clothes of a class that is asked for, 28 x 28.",
        data=_fashion_signed,
        build=_biggan,
        publish=_generator_publisher(
            "biggan",
            (1, 28, 28),
            Provenance("Clothes of a class, 28 x 28, grey, in one step (BigGAN-style).", fashion.PROVENANCE),
            classes=fashion.CLASSES,
        ),
        steps=4_500,
        batch=64,
        core_hours=0.69,
    ),
    Recipe(
        name="faces-progan",
        family="gan",
        summary="Progressively grown GAN on rendered faces, 64 x 64.",
        data=_faces,
        build=_progan,
        publish=_generator_publisher(
            "progan",
            (3, 64, 64),
            Provenance("Pixel-art faces, 64 x 64, in one step (progressively grown GAN).", faces.PROVENANCE),
            level=len(_WIDTHS) - 1,
        ),
        steps=_PROGAN_STEPS,
        batch=32,
        core_hours=0.65,
    ),
    Recipe(
        name="faces-stylegan",
        family="gan",
        summary="StyleGAN on rendered faces, 64 x 64: styles that can be mixed and truncated.",
        data=_faces,
        build=_stylegan,
        publish=_publish_stylegan,
        steps=4_300,
        batch=32,
        core_hours=0.96,
    ),
    Recipe(
        name="emoji-cyclegan",
        family="gan",
        summary="CycleGAN between Noto and Fluent 3D emoji, 64 x 64, learnt without pairs.",
        data=_emoji,
        build=_cyclegan,
        publish=_publish_cyclegan,
        steps=4_500,
        batch=4,
        core_hours=0.4,
    ),
)
