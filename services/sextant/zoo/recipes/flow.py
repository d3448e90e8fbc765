"""Flows: Glow on Fashion-MNIST, RealNVP on the shuttle's telemetry and on two moons."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sextant.bundles.store import Bundle
from sextant.families.flow.export import export_glow, export_real_nvp, fixed
from sextant.families.flow.networks import Glow, RealNvp
from sextant.families.flow.train import FlowTraining
from sextant.families.provenance import Provenance
from sextant.zoo.data import fashion, tables
from sextant.zoo.recipe import Recipe

_MOONS = 200_000  # points; with a tenth of them the tails of the moons are learnt by heart
_DIRECTED = 6_000  # pictures that the directions of attributes are worked out from


def _fashion() -> tuple[Tensor]:
    images, _ = fashion.load("train")
    return (torch.from_numpy(images.copy()).permute(0, 3, 1, 2),)


def _glow() -> FlowTraining:
    return FlowTraining(Glow(28, 1, 8, 96), rate=1e-3, quantised=True)


def _shuttle() -> FlowTraining:
    return _tabular(torch.from_numpy(tables.shuttle("train").values), layers=10, width=64, quantised=True)


def _moons() -> FlowTraining:
    return _tabular(torch.from_numpy(tables.moons(_MOONS, seed=0)), layers=12, width=64, quantised=False)


def _tabular(rows: Tensor, *, layers: int, width: int, quantised: bool) -> FlowTraining:
    flow = RealNvp(rows.shape[1], layers, width)
    flow.mean.copy_(rows.mean(0))
    flow.deviation.copy_(rows.std(0))
    return FlowTraining(flow, rate=2e-3, quantised=quantised, centred=True)


def _publish_glow(training: FlowTraining, name: str, directory: Path) -> Bundle:
    assert isinstance(training.flow, Glow)
    (pictures,) = _fashion()
    return export_glow(
        training.flow,
        pictures[:8].float() + 0.5,
        directory,
        name,
        attributes=_directions(training.flow),
        temperature=0.7,
        provenance=Provenance("Exact likelihoods of pictures of clothes, 28 x 28, grey (Glow).", fashion.PROVENANCE),
    )


def _publish_shuttle(training: FlowTraining, name: str, directory: Path) -> Bundle:
    assert isinstance(training.flow, RealNvp)
    return export_real_nvp(
        training.flow,
        torch.from_numpy(tables.shuttle("train").values[:64]),
        directory,
        name,
        columns=tables.SHUTTLE_COLUMNS,
        provenance=Provenance("Exact likelihoods of the shuttle's telemetry (RealNVP).", tables.SHUTTLE_PROVENANCE),
    )


def _publish_moons(training: FlowTraining, name: str, directory: Path) -> Bundle:
    assert isinstance(training.flow, RealNvp)
    return export_real_nvp(
        training.flow,
        torch.from_numpy(tables.moons(64, seed=1)),
        directory,
        name,
        columns=tables.MOONS_COLUMNS,
        provenance=Provenance("The density of two moons in the plane (RealNVP).", tables.MOONS_PROVENANCE),
    )


@torch.no_grad()
def _directions(flow: Glow) -> dict[str, NDArray[np.float32]]:
    """Mean code of pictures with an attribute minus that of those without (Kingma & Dhariwal 2018, section 6)."""
    images, labels = (array[:_DIRECTED] for array in fashion.load("train"))
    x = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float() + 0.5
    plain = fixed(flow)
    codes = torch.cat([plain(part)[0] for part in x.split(250)]).double().numpy()
    brightness = images.reshape(len(images), -1).mean(1)
    low, high = np.quantile(brightness, (0.25, 0.75))
    kind = {name: labels == index for index, name in enumerate(fashion.CLASSES)}
    contrasts = {
        "bright": (brightness >= high, brightness <= low),
        "long-sleeves": (kind["pullover"] | kind["coat"], kind["t-shirt"]),
        "high-top": (kind["ankle boot"], kind["sneaker"]),
    }
    return {
        name: (codes[having].mean(0) - codes[lacking].mean(0)).astype(np.float32)
        for name, (having, lacking) in contrasts.items()
    }


RECIPES = (
    Recipe(
        name="fashion-glow",
        family="flow",
        summary="Glow on Fashion-MNIST: exact likelihoods of pictures, 28 x 28, and a code without loss.",
        data=_fashion,
        build=_glow,
        publish=_publish_glow,
        steps=10_000,
        batch=64,
        core_hours=0.7,
    ),
    Recipe(
        name="shuttle-realnvp",
        family="flow",
        summary="RealNVP on the Statlog shuttle's normal telemetry: exact likelihoods of rows, to find anomalies.",
        data=lambda: (torch.from_numpy(tables.shuttle("train").values),),
        build=_shuttle,
        publish=_publish_shuttle,
        steps=12_000,
        batch=512,
        core_hours=0.08,
    ),
    Recipe(
        name="moons-realnvp",
        family="flow",
        summary="RealNVP on two moons: a density in the plane that can be drawn and integrated.",
        data=lambda: (torch.from_numpy(tables.moons(_MOONS, seed=0)),),
        build=_moons,
        publish=_publish_moons,
        steps=12_000,
        batch=1024,
        core_hours=0.04,
    ),
)
