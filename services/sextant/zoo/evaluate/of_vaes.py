"""What VAEs are judged by besides their pictures: bounds on likelihoods, reconstruction, and what their axes mean."""

from pathlib import Path

import numpy as np

from sextant.contract.media import Image
from sextant.contract.tasks import Conditions, Task, TaskKind, VaeParameters
from sextant.zoo.data import faces, fashion
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.disentanglement import dci, mutual_information_gap
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.latency import add_latency
from sextant.zoo.evaluate.likelihood import bits_per_dimension
from sextant.zoo.evaluate.of_pictures import pictures
from sextant.zoo.evaluate.reconstruction import reconstruction
from sextant.zoo.evaluate.references import SAMPLES, SEED, fashion_reference
from sextant.zoo.evaluate.served import Served

_MAPPED = 2_000


def fashion_vae(served: Served, figures: Figures, sheet: Path) -> None:
    """A VAE on Fashion-MNIST: quality, bounds, reconstruction."""
    pictures(served, figures, sheet, fashion_reference())
    images, labels = fashion.load("test")
    classes = served.manifest.network["classes"]
    for samples, count in ((1, 500), (64, 200), (1000, 40)):  # fewer pictures where each takes longer
        tasks = (
            Task(
                TaskKind.SCORE,
                seed=0,
                index=index,
                source=Image(images[index]),
                conditions=Conditions(class_label=classes[labels[index]] if classes else ""),
                parameters=VaeParameters(importance_samples=samples),
            )
            for index in range(count)
        )
        nats = served.nats(tasks)
        bits = bits_per_dimension(nats, images[0].size)
        name = "elbo" if samples == 1 else f"iwae_{samples}"
        figures.add(f"{name}_bits_per_dimension", bits.value, "bit", f"{count} test pictures, an upper bound")
    if TaskKind.ENCODE in served.manifest.tasks and not classes:
        given = images[:1000]
        fit = reconstruction(served.decoded(served.codes(given)), given)
        figures.add("reconstruction_ssim", fit.ssim, "1", "1000 test pictures, encoded and decoded")
        figures.add("reconstruction_psnr", fit.psnr_db, "dB", "1000 test pictures, encoded and decoded")


def face_maps(served: Served, figures: Figures, sheet: Path) -> None:
    """A model whose codes of faces are maps, for other models to make: how much outlasts going there and back."""
    images = faces.load(_MAPPED, 64, 2).images
    made = served.decoded(served.codes(images))
    fit = reconstruction(made, images)
    on = f"{_MAPPED} faces drawn anew, encoded and decoded"
    figures.add("reconstruction_ssim", fit.ssim, "1", on)
    figures.add("reconstruction_psnr", fit.psnr_db, "dB", on)
    add_latency(served, figures)
    sheets.pairs(images[:8], made[:8]).save(sheet, optimize=True)


def faces_vae(served: Served, figures: Figures, sheet: Path) -> None:
    """A VAE on rendered faces with known factors: what its axes mean."""
    drawn = faces.load(SAMPLES, 32, SEED, faces.FACTORS)
    codes = served.codes(drawn.images)
    on = f"{SAMPLES} faces drawn anew from {len(faces.FACTORS)} independent factors"
    found = dci(codes, drawn.values)
    figures.add("mig", mutual_information_gap(codes, drawn.values), "1", f"{on}; Chen et al. 2018")
    figures.add("dci_disentanglement", found.disentanglement, "1", f"{on}; Eastwood & Williams 2018")
    figures.add("dci_completeness", found.completeness, "1", f"{on}; Eastwood & Williams 2018")
    figures.add("dci_informativeness", found.informativeness, "1", f"{on}; Eastwood & Williams 2018")
    fit = reconstruction(served.decoded(codes[:1000]), drawn.images[:1000])
    figures.add("reconstruction_ssim", fit.ssim, "1", "1000 faces, encoded and decoded")
    figures.add("reconstruction_psnr", fit.psnr_db, "dB", "1000 faces, encoded and decoded")
    add_latency(served, figures)
    # The axes that carry most come first: by how far their means spread.
    order, positions = np.argsort(-codes.std(0)), np.linspace(-2.5, 2.5, 9)
    walked = np.repeat(np.zeros_like(codes[:1]), len(order) * len(positions), 0)
    for row, axis in enumerate(order):
        walked[row * len(positions) : (row + 1) * len(positions), axis] = positions
    frames = served.decoded(walked).reshape(len(order), len(positions), *drawn.images.shape[1:])
    sheets.traversal(frames, coordinates=[f"z{axis}" for axis in order], scale=2).save(sheet, optimize=True)
