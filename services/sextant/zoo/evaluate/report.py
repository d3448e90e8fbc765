"""What is measured of each model, and where it is written: into its manifest, and as a sheet of what it makes.

Everything is asked of the model as it is served. Figures carry what they were measured on.
"""

from collections.abc import Callable
from pathlib import Path

from sextant.bundles.manifest import Measurement
from sextant.bundles.store import open_bundle
from sextant.bundles.verify import MANIFEST_NAME
from sextant.bundles.writer import with_measurements
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.latency import add_latency, replaced
from sextant.zoo.evaluate.of_clip import tower
from sextant.zoo.evaluate.of_completion import faces_of_codes
from sextant.zoo.evaluate.of_diffusion import fashion_diffusion
from sextant.zoo.evaluate.of_flows import glow, moons, shuttle
from sextant.zoo.evaluate.of_hybrids import from_words, ranked, varying
from sextant.zoo.evaluate.of_music import bach
from sextant.zoo.evaluate.of_phonemes import us_phonemes
from sextant.zoo.evaluate.of_pictures import faces_gan, fashion_gan
from sextant.zoo.evaluate.of_pixelcnn import fashion_pixelcnn
from sextant.zoo.evaluate.of_translation import cyclegan
from sextant.zoo.evaluate.of_vaes import face_maps, faces_vae, fashion_vae
from sextant.zoo.evaluate.of_wavenet import spoken_digits
from sextant.zoo.evaluate.served import Served

Evaluation = Callable[[Served, Figures, Path], None]

# By model: what measures it, given where its sheet goes.
EVALUATIONS: dict[str, Evaluation] = {
    "fashion-vae": fashion_vae,
    "fashion-cvae": fashion_vae,
    "faces-vae": faces_vae,
    "faces-beta-vae": faces_vae,
    "fashion-dcgan": fashion_gan,
    "fashion-biggan": fashion_gan,
    "faces-progan": faces_gan,
    "faces-stylegan": faces_gan,
    "emoji-cyclegan": cyclegan,
    "fashion-glow": glow,
    "shuttle-realnvp": shuttle,
    "moons-realnvp": moons,
    "fashion-diffusion": fashion_diffusion,
    "bach-diffusion": bach,
    "fashion-pixelcnn": fashion_pixelcnn,
    "digits-wavenet": spoken_digits,
    "us-phonemes": us_phonemes,
    "fashion-refined": fashion_gan,
    "faces-latent": face_maps,
    "faces-vq": face_maps,
    "faces-clip": tower,
    "faces-latent-diffusion": from_words,
    "faces-ranked": ranked,
    "faces-unclip": varying,
    "faces-cascade": from_words,
    "faces-parti": from_words,
    "faces-vqgan": faces_of_codes,
}


def measure_speed(path: Path) -> list[Measurement]:
    """Measures how fast the bundle at `path` is, and writes that into its manifest; its other figures stay."""
    bundle = open_bundle(path)
    figures = Figures()
    add_latency(Served(bundle), figures)
    with_measurements(bundle, replaced(bundle.manifest.measurements, figures.all))
    return figures.all


def to_measure(bundles: Path) -> list[str]:
    """The models in the directory `bundles` that there is a measure for."""
    return [name for name in EVALUATIONS if (bundles / name / MANIFEST_NAME).exists()]


def evaluate_bundle(path: Path, sheet_directory: Path) -> list[Measurement]:
    """Measures the bundle at `path`, writes the figures into its manifest and its sheet into `sheet_directory`."""
    bundle = open_bundle(path)
    served, figures = Served(bundle), Figures()
    sheet_directory.mkdir(parents=True, exist_ok=True)
    EVALUATIONS[bundle.manifest.name](served, figures, sheet_directory / f"{bundle.manifest.name}.png")
    with_measurements(bundle, figures.all)
    return figures.all
