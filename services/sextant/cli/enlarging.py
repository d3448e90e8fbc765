"""Pictures for the eye: over white, and enlarged by whole numbers so that every pixel can be seen."""

from PIL import Image as Pillow

from sextant.contract.codecs.image import pillow_from_image
from sextant.contract.media import Image


def enlarged(image: Image, scale: int) -> Pillow.Image:
    """Every pixel as a square of `scale` x `scale`; grey stays grey."""
    picture = pillow_from_image(image)
    if picture.mode == "RGBA":
        picture = Pillow.alpha_composite(Pillow.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.resize((picture.width * scale, picture.height * scale), Pillow.Resampling.NEAREST)
