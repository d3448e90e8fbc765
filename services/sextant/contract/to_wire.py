"""What models make, as messages. The gateway writes answers with it, the client writes requests."""

import hashlib
from math import log
from typing import Any

from numpy.typing import NDArray

from sextant.contract import events, media
from sextant.contract.codecs import AudioFormat, ImageFormat, array_bytes, encode_audio, encode_image
from sextant.contract.options import Encoding
from sextant.contract.v1 import generation_pb2, media_pb2
from sextant.contract.wire_enums import (
    AUDIO_FORMAT_TO_WIRE,
    ELEMENT_TYPE_TO_WIRE,
    ESTIMATOR_TO_WIRE,
    FINISH_REASON_TO_WIRE,
    IMAGE_FORMAT_TO_WIRE,
)

_PNG_AND_WAV = Encoding()


def media_message(content: media.Media, encoding: Encoding = _PNG_AND_WAV) -> media_pb2.Media:
    """Any medium, pictures and sounds encoded as asked. ValueError where the content breaks its own type's rules."""
    match content:
        case media.Text():
            return media_pb2.Media(text=media_pb2.Text(content=content.content))
        case media.Image():
            return media_pb2.Media(image=image_message(content, encoding.image))
        case media.Audio():
            return media_pb2.Media(audio=audio_message(content, encoding.audio))
        case media.Music():
            return media_pb2.Media(music=media_pb2.Music(midi=content.midi))
        case media.Table():
            values = tensor_message(content.values)
            return media_pb2.Media(table=media_pb2.Table(columns=content.columns, values=values))
        case media.Latent():
            return media_pb2.Media(latent=latent_message(content))
        case media.Tensor():
            return media_pb2.Media(tensor=tensor_message(content.array))


def image_message(image: media.Image, image_format: ImageFormat = ImageFormat.PNG) -> media_pb2.Image:
    """A picture with its size; `channels` as the file has them: JPEG has no alpha, WebP no grey."""
    height, width, channels = image.pixels.shape
    if image_format is ImageFormat.JPEG:
        channels = min(channels, 3)
    elif image_format is ImageFormat.WEBP:
        channels = max(channels, 3)
    return media_pb2.Image(
        format=IMAGE_FORMAT_TO_WIRE[image_format],
        data=encode_image(image, image_format),
        width_px=width,
        height_px=height,
        channels=channels,
    )


def audio_message(audio: media.Audio, audio_format: AudioFormat = AudioFormat.WAV) -> media_pb2.Audio:
    """A sound with its rate and channels."""
    return media_pb2.Audio(
        format=AUDIO_FORMAT_TO_WIRE[audio_format],
        data=encode_audio(audio, audio_format),
        sample_rate_hz=audio.sample_rate_hz,
        channels=audio.samples.shape[1],
    )


def tensor_message(array: NDArray[Any]) -> media_pb2.Tensor:
    """An array. ValueError for element types that the contract does not have."""
    element_type = ELEMENT_TYPE_TO_WIRE.get(array.dtype.newbyteorder("<"))
    if element_type is None:
        raise ValueError(f"the contract has no element type {array.dtype}")
    return media_pb2.Tensor(element_type=element_type, shape=array.shape, data=array_bytes(array))


def latent_message(latent: media.Latent) -> media_pb2.Latent:
    """A point, or a diagonal Gaussian where it has a variance."""
    variance = None if latent.variance is None else tensor_message(latent.variance)
    return media_pb2.Latent(space=latent.space, mean=tensor_message(latent.mean), variance=variance)


def likelihood_message(likelihood: events.Likelihood) -> generation_pb2.Likelihood:
    """A likelihood, also in bits per dimension: -nats / (ln 2 x dimensions); 0 where there are no dimensions."""
    nats, dimensions = likelihood.log_likelihood_nats, likelihood.dimensions
    return generation_pb2.Likelihood(
        log_likelihood_nats=nats,
        bits_per_dimension=-nats / (log(2) * dimensions) if dimensions else 0.0,
        dimensions=dimensions,
        estimator=ESTIMATOR_TO_WIRE[likelihood.estimator],
        standard_error_nats=likelihood.standard_error_nats,
        tokens=[_token_message(token) for token in likelihood.tokens],
    )


def event_message(
    event: events.Event, sequence: int, encoding: Encoding = _PNG_AND_WAV
) -> generation_pb2.GenerateEvent:
    """An event under the stream's own number. Chunks of sound are PCM whatever the encoding says.

    ValueError for the result of a Score, which is no medium: `likelihood_message` has it.
    """
    match event.body:
        case events.Progress() as progress:
            return generation_pb2.GenerateEvent(sequence=sequence, progress=_progress_message(progress, encoding))
        case events.Chunk() as chunk:
            return generation_pb2.GenerateEvent(sequence=sequence, chunk=_chunk_message(chunk))
        case events.Result() as result:
            return generation_pb2.GenerateEvent(sequence=sequence, result=result_message(result, encoding))


def result_message(result: events.Result, encoding: Encoding = _PNG_AND_WAV) -> generation_pb2.Result:
    """A whole item, as `event_message` carries it."""
    if isinstance(result.content, events.Likelihood):
        raise ValueError("a likelihood is no medium")
    return generation_pb2.Result(
        item=result.item,
        media=media_message(result.content, encoding),
        finish_reason=FINISH_REASON_TO_WIRE[result.finish_reason],
        fills=[
            generation_pb2.MaskFill(candidates=[_alternative_message(candidate) for candidate in fill])
            for fill in result.fills
        ],
    )


def content_sha256(message: media_pb2.Media) -> bytes:
    """sha256 of the content: the encoded file, the UTF-8 text, or a tensor's bytes (a latent's mean, then variance)."""
    digest = hashlib.sha256()
    match message.WhichOneof("kind"):
        case "text":
            digest.update(message.text.content.encode())
        case "image":
            digest.update(message.image.data)
        case "audio":
            digest.update(message.audio.data)
        case "music":
            digest.update(message.music.midi)
        case "table":
            digest.update(message.table.values.data)
        case "latent":
            digest.update(message.latent.mean.data)
            digest.update(message.latent.variance.data)
        case "tensor":
            digest.update(message.tensor.data)
    return digest.digest()


def _progress_message(progress: events.Progress, encoding: Encoding) -> generation_pb2.Progress:
    preview = None if progress.preview is None else media_message(progress.preview, encoding)
    return generation_pb2.Progress(
        item=progress.item, step=progress.step, total_steps=progress.total_steps, preview=preview
    )


def _chunk_message(chunk: events.Chunk) -> generation_pb2.Chunk:
    if isinstance(chunk.delta, media.Audio):
        return generation_pb2.Chunk(item=chunk.item, audio=audio_message(chunk.delta, AudioFormat.PCM_S16LE))
    text = generation_pb2.TextDelta(
        content=chunk.delta.content, tokens=[_token_message(token) for token in chunk.delta.tokens]
    )
    return generation_pb2.Chunk(item=chunk.item, text=text)


def _token_message(token: events.TokenLogProb) -> generation_pb2.TokenLogProb:
    return generation_pb2.TokenLogProb(
        token_id=token.token_id,
        token=token.token,
        logprob_nats=token.logprob_nats,
        alternatives=[_alternative_message(alternative) for alternative in token.alternatives],
    )


def _alternative_message(alternative: events.TokenAlternative) -> generation_pb2.TokenAlternative:
    return generation_pb2.TokenAlternative(
        token_id=alternative.token_id, token=alternative.token, logprob_nats=alternative.logprob_nats
    )
