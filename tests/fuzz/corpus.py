"""Valid requests of every method, cheap ones: what the mutations start from."""

import io
import struct
import zlib
from dataclasses import dataclass

import mido
import numpy as np
import PIL.Image
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from sextant.contract.v1 import generation_pb2, guide_pb2, media_pb2, models_pb2

# What the target must serve.
MODELS = {
    "gan": ["fashion-dcgan", "emoji-cyclegan"],
    "vae": ["fashion-vae", "fashion-cvae"],
    "flow": ["moons-realnvp", "shuttle-realnvp"],
    "diffusion": ["fashion-diffusion", "bach-diffusion"],
    "autoregressive": ["fashion-pixelcnn", "digits-wavenet"],
    "transformer": ["us-phonemes"],
}


@dataclass(frozen=True, slots=True)
class Seed:
    """A valid request and the method that takes it, by its path."""

    method: str
    message: Message


def seeds() -> list[Seed]:
    """All of them; a mutation may start from any."""
    g = generation_pb2
    grey, colour = _picture(28, 28, "L"), _picture(64, 64, "RGB")
    raw = media_pb2.Image(
        format=media_pb2.IMAGE_FORMAT_RAW_UINT8, data=bytes(range(256)) * 3 + bytes(16), width_px=28, height_px=28
    )
    raw.channels = 1
    audio, music = media_pb2.Audio(format=media_pb2.AUDIO_FORMAT_WAV, data=wav(400)), media_pb2.Music(midi=_midi())
    table = media_pb2.Table(columns=[f"sensor_{n}" for n in range(1, 10)], values=_tensor((2, 9)))
    latent = media_pb2.Latent(space="fashion-vae/z", mean=_tensor((16,)))
    few = g.DiffusionParameters(steps=2, sampler=g.DIFFUSION_SAMPLER_DDIM, guidance=1.5, preview_every_steps=1)
    text = g.TextParameters(max_tokens=8, temperature=0.5, top_k=4, top_p=0.9, stop=["x"])
    generation = {
        "Generate": [
            g.GenerateRequest(options=_options("fashion-dcgan"), count=2, output=media_pb2.MODALITY_IMAGE),
            g.GenerateRequest(options=_options("fashion-dcgan"), gan=g.GanParameters(truncation=0.7)),
            g.GenerateRequest(options=_options("fashion-cvae"), conditions=g.Conditions(class_label="bag")),
            g.GenerateRequest(options=_options("fashion-vae"), vae=g.VaeParameters(temperature=0.5)),
            g.GenerateRequest(options=_options("moons-realnvp"), flow=g.FlowParameters(temperature=1.0), count=3),
            g.GenerateRequest(options=_options("fashion-diffusion"), diffusion=few, size=g.Size(width_px=28)),
            g.GenerateRequest(options=_options("us-phonemes"), prompt="cat", text=text),
            g.GenerateRequest(options=_options(""), output=media_pb2.MODALITY_IMAGE, encoding=_encoding()),
            g.GenerateRequest(
                options=_options("us-phonemes"),
                chat=g.Chat(messages=[g.ChatMessage(role=g.ROLE_USER, content="cat")]),
            ),
        ],
        "Transform": [
            g.TransformRequest(options=_options("emoji-cyclegan"), source=media_pb2.Media(image=colour)),
            g.TransformRequest(
                options=_options("fashion-diffusion"),
                source=media_pb2.Media(image=grey),
                mask=grey,
                strength=0.5,
                diffusion=few,
            ),
            g.TransformRequest(
                options=_options("bach-diffusion"), source=media_pb2.Media(music=music), diffusion=few, strength=0.2
            ),
        ],
        "Interpolate": [
            g.InterpolateRequest(options=_options("fashion-dcgan"), frames=3, encoding=_encoding()),
            g.InterpolateRequest(
                options=_options("fashion-vae"),
                start=media_pb2.Media(image=grey),
                end=media_pb2.Media(latent=latent),
                frames=3,
                path=g.INTERPOLATION_PATH_SPHERICAL,
            ),
        ],
        "Encode": [
            g.EncodeRequest(options=_options("fashion-vae"), items=[media_pb2.Media(image=grey)] * 2),
            g.EncodeRequest(options=_options("shuttle-realnvp"), items=[media_pb2.Media(table=table)]),
        ],
        "EncodeStream": [
            g.EncodeRequest(options=_options("fashion-vae"), items=[media_pb2.Media(image=raw)]),
            g.EncodeRequest(
                options=_options("fashion-dcgan"),
                items=[media_pb2.Media(image=grey)],
                gan=g.GanParameters(inversion_steps=1),
            ),
        ],
        "Decode": [
            g.DecodeRequest(options=_options("fashion-vae"), latents=[latent] * 2, encoding=_encoding()),
            g.DecodeRequest(
                options=_options("moons-realnvp"),
                latents=[media_pb2.Latent(space="moons-realnvp/z", mean=_tensor((2,)))],
            ),
        ],
        "Score": [
            g.ScoreRequest(options=_options("shuttle-realnvp"), items=[media_pb2.Media(table=table)]),
            g.ScoreRequest(
                options=_options("fashion-vae"),
                items=[media_pb2.Media(image=grey)],
                vae=g.VaeParameters(importance_samples=2),
            ),
            g.ScoreRequest(options=_options("us-phonemes"), items=[_text("K AE1 T")], context="cat"),
            g.ScoreRequest(options=_options("digits-wavenet"), items=[media_pb2.Media(audio=audio)]),
        ],
    }
    decide = guide_pb2.DecideRequest(task=models_pb2.TASK_KIND_GENERATE, output=media_pb2.MODALITY_IMAGE, count=2)
    others = {
        "/sextant.v1.Guide/Decide": [decide, guide_pb2.DecideRequest(intent="a picture of a bag, quickly")],
        "/sextant.v1.Models/ListModels": [models_pb2.ListModelsRequest(task=models_pb2.TASK_KIND_SCORE)],
        "/sextant.v1.Models/GetModel": [models_pb2.GetModelRequest(name="fashion-vae")],
        "/grpc.health.v1.Health/Check": [health_pb2.HealthCheckRequest(service="sextant.v1.Generation")],
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": [
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="sextant.v1.Generation")
        ],
    }
    own = {f"/sextant.v1.Generation/{name}": messages for name, messages in generation.items()}
    return [Seed(method, message) for method, messages in {**own, **others}.items() for message in messages]


def _options(model: str) -> generation_pb2.Options:
    return generation_pb2.Options(model=model, seed=1, request_id="fuzz")


def _encoding() -> generation_pb2.Encoding:
    return generation_pb2.Encoding(image=media_pb2.IMAGE_FORMAT_PNG)


def _text(content: str) -> media_pb2.Media:
    return media_pb2.Media(text=media_pb2.Text(content=content))


def _tensor(shape: tuple[int, ...]) -> media_pb2.Tensor:
    values = np.linspace(-1, 1, int(np.prod(shape)), dtype="<f4")
    return media_pb2.Tensor(element_type=media_pb2.ELEMENT_TYPE_FLOAT32, shape=shape, data=values.tobytes())


def _picture(width: int, height: int, mode: str) -> media_pb2.Image:
    file = io.BytesIO()
    PIL.Image.new(mode, (width, height), 128 if mode == "L" else (10, 200, 30)).save(file, "PNG")
    return media_pb2.Image(format=media_pb2.IMAGE_FORMAT_PNG, data=file.getvalue())


def png(width: int, height: int, rows: int | None = None) -> bytes:
    """A grey PNG that says it is so large, of `rows` rows of zeros (all, where None), as small as it can be."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(width + 1)
    body = b"".join(packer.compress(row) for _ in range(height if rows is None else rows)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def wav(frames: int, claimed: int | None = None, rate_hz: int = 8000, channels: int = 1, bits: int = 16) -> bytes:
    """A WAV file of silence; `claimed` is how many bytes of samples its header says, if not the truth."""
    body = bytes(2 * frames)
    size = len(body) if claimed is None else claimed
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    head = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", (len(head) + size) & 0xFFFFFFFF) + head + body


def _midi() -> bytes:
    file = mido.MidiFile()
    track = mido.MidiTrack()
    file.tracks.append(track)
    for note in (60, 64, 67):
        track.append(mido.Message("note_on", note=note, time=0))
        track.append(mido.Message("note_off", note=note, time=480))
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()
