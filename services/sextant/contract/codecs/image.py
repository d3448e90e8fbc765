"""Pictures as PNG, WebP, JPEG and raw bytes."""

import io
import zlib
from enum import StrEnum

import numpy as np
import PIL.Image
import PIL.ImageOps

from sextant.contract.codecs.budget import DecodeBudget
from sextant.contract.errors import InvalidRequest
from sextant.contract.media import Image

# Of one picture: 4096 x 4096. Read from the header, before anything is decoded.
MOST_PIXELS = 2**24

_LONGEST_SIDE = {"webp": 16_383, "jpeg": 65_535}


class ImageFormat(StrEnum):
    """How the bytes of a picture are encoded."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpeg"
    RAW_UINT8 = "raw_uint8"


def encode_image(image: Image, image_format: ImageFormat = ImageFormat.PNG) -> bytes:
    """A complete file, or the bare rows for RAW_UINT8. The same pixels give the same bytes.

    PNG and RAW_UINT8 give back what went in; WebP does too but reads grey back as RGB. JPEG is lossy and
    shows transparent pixels over white. `InvalidRequest` where the format cannot hold a picture of that size,
    ValueError where `image` is not uint8[height, width, 1 | 3 | 4].
    """
    pixels = image.pixels
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or 0 in pixels.shape:
        raise ValueError(f"not a picture: {pixels.dtype}{list(pixels.shape)}")
    if image_format is ImageFormat.RAW_UINT8:
        return pixels.tobytes()
    longest = _LONGEST_SIDE.get(image_format, MOST_PIXELS)
    if max(pixels.shape[:2]) > longest:
        raise InvalidRequest("encoding.image", f"{image_format} holds at most {longest} pixels a side")
    picture = pillow_from_image(image)
    file = io.BytesIO()
    if image_format is ImageFormat.PNG:
        # Runs only: no larger than the default for what models draw, in less than half the time (docs/benchmarks.md).
        picture.save(file, "PNG", compress_type=zlib.Z_RLE)
    elif image_format is ImageFormat.WEBP:
        picture.save(file, "WEBP", lossless=True, exact=True)  # exact: keep the colour of transparent pixels
    else:
        if picture.mode == "RGBA":
            picture = PIL.Image.alpha_composite(PIL.Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
        picture.save(file, "JPEG", quality=95)
    return file.getvalue()


def detect_image_format(data: bytes) -> ImageFormat | None:
    """The format that the first bytes announce; None where it is none that we read."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if data.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    return None


def decode_image(data: bytes, field: str = "image", budget: DecodeBudget | None = None) -> Image:
    """A PNG, WebP or JPEG file as a picture, upright as its EXIF says, 16 bits reduced to 8, palettes resolved.

    `InvalidRequest` for anything else, for damaged files, and for pictures over `MOST_PIXELS` or the budget.
    """
    field = f"{field}.data"
    image_format = detect_image_format(data)
    if image_format is None:
        raise InvalidRequest(field, "is not a PNG, WebP or JPEG file")
    try:
        with PIL.Image.open(io.BytesIO(data), formats=[image_format.upper()]) as picture:
            _check_size(*picture.size, field)
            (budget or DecodeBudget()).spend(picture.width * picture.height * 4, field)
            picture.load()
            return image_from_pillow(PIL.ImageOps.exif_transpose(picture))
    except InvalidRequest:
        raise
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning):
        raise InvalidRequest(field, f"has more than {MOST_PIXELS} pixels") from None
    except Exception as error:  # pillow raises a dozen types for damaged files, SyntaxError and MemoryError included
        raise InvalidRequest(field, f"is a damaged or truncated {image_format.upper()} file") from error


def image_from_raw(data: bytes, width_px: int, height_px: int, channels: int, field: str = "image") -> Image:
    """RAW_UINT8 as a picture; `InvalidRequest` where size and bytes disagree or there is nothing to see."""
    for name, value in (("width_px", width_px), ("height_px", height_px)):
        if value < 1:
            raise InvalidRequest(f"{field}.{name}", "is required for raw pixels, and at least 1")
    if channels not in (1, 3, 4):
        raise InvalidRequest(f"{field}.channels", f"must be 1, 3 or 4 for raw pixels, not {channels}")
    _check_size(width_px, height_px, f"{field}.data")
    if len(data) != width_px * height_px * channels:
        wanted = f"{height_px} x {width_px} x {channels}"
        raise InvalidRequest(f"{field}.data", f"holds {len(data)} bytes, not the {wanted} of its size")
    return Image(np.frombuffer(data, dtype=np.uint8).reshape(height_px, width_px, channels))


def image_from_pillow(picture: PIL.Image.Image) -> Image:
    """Pillow's picture as grey, RGB or RGBA: 16 bits reduced to 8, palettes resolved."""
    if picture.mode.startswith("I"):  # 16-bit grey; pillow's own conversion clips instead of scaling
        return Image((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8)[:, :, None])
    if picture.has_transparency_data:
        return Image(np.array(picture.convert("RGBA")))
    if picture.mode in ("1", "L"):
        return Image(np.array(picture.convert("L"))[:, :, None])
    return Image(np.array(picture.convert("RGB")))


def pillow_from_image(image: Image) -> PIL.Image.Image:
    """The picture as Pillow's, of mode L, RGB or RGBA."""
    pixels = image.pixels
    return PIL.Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _check_size(width_px: int, height_px: int, field: str) -> None:
    if width_px * height_px > MOST_PIXELS:
        raise InvalidRequest(field, f"has {width_px} x {height_px} pixels, more than {MOST_PIXELS}")
