"""How content becomes files and bytes, and how it is read back from bytes that nobody vouches for.

A decoder takes the path of the message that it reads as `field`, and names in its `InvalidRequest` the field
within it that is wrong: "source.image.data". No protobuf here: the client saves and loads files with these too.
"""

from sextant.contract.codecs.audio import (
    AudioFormat,
    audio_from_pcm,
    decode_audio,
    detect_audio_format,
    encode_audio,
    pcm_s16le,
)
from sextant.contract.codecs.budget import DecodeBudget
from sextant.contract.codecs.image import (
    ImageFormat,
    decode_image,
    detect_image_format,
    encode_image,
    image_from_pillow,
    image_from_raw,
    pillow_from_image,
)
from sextant.contract.codecs.midi import check_midi
from sextant.contract.codecs.tensor import array_bytes, array_from_bytes

__all__ = [
    "AudioFormat",
    "DecodeBudget",
    "ImageFormat",
    "array_bytes",
    "array_from_bytes",
    "audio_from_pcm",
    "check_midi",
    "decode_audio",
    "decode_image",
    "detect_audio_format",
    "detect_image_format",
    "encode_audio",
    "encode_image",
    "image_from_pillow",
    "image_from_raw",
    "pcm_s16le",
    "pillow_from_image",
]
