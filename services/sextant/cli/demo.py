"""`sextant demo`: the main job, start to finish, with nothing left running."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from sextant.cli.demo_faces import faces_from_words, shipped_painters
from sextant.cli.media_files import write_picture
from sextant.cli.run_state import read_state
from sextant.cli.terminal import connect
from sextant.client import Client
from sextant.contract.errors import SextantError
from sextant.contract.media import Image
from sextant.runtime.rng import RequestRng
from sextant.samples import DIRECTORY, sample

_PROMPT = "Write a short story about a lighthouse keeper who finds a message in a bottle."
_SENTENCES = (
    "The lighthouse keeper found a letter in a bottle.",
    "A message had washed ashore inside a glass flask.",
    "The quarterly report shows rising interest rates.",
)
_QUERY = "Someone discovers a note from the sea."
_CLOTHES, _FACE = 28, 64  # pixels each way


def demo(
    out: Annotated[Path, typer.Option(help="Where the results are written.")] = Path("demo-output"),
    max_tokens: Annotated[int, typer.Option(help="Length of the story.")] = 160,
    seed: Annotated[int, typer.Option(help="Seed of the story.")] = 7,
) -> None:
    """Start the platform, let its models answer through gRPC, write the results, stop what was started."""
    started = time.monotonic()
    ours = read_state() is None
    if ours:
        _say("starting the platform")
        _sextant("up", "--detach", "--port", str(_free_port()), "--metrics-port", str(_free_port()))
    try:
        state = read_state()
        if state is None:
            raise SextantError("the platform is gone")
        out.mkdir(parents=True, exist_ok=True)
        with connect(state.target) as client:
            _story(client, out, max_tokens, seed)
            _embeddings(client, out)
            _likelihoods(client, out)
            served = {model.name for model in client.models(timeout=60.0)}
            if painters := shipped_painters(client):
                _say("faces from words, by every hybrid that ships: the same words, the same seed")
                faces_from_words(client, painters, out)
        _pictures(out)
        _faces(out, served)
        _say("metrics")
        for url in state.metrics:
            print(f"  {url}")
    finally:
        if ours:
            _say("stopping the platform")
            _sextant("down")
    print(f"\nresults in {out}/, {time.monotonic() - started:.0f} s in all")


def _story(client: Client, out: Path, max_tokens: int, seed: int) -> None:
    _say(f"a story, streamed: {_PROMPT}")
    stream = client.generate_text(
        _PROMPT, max_tokens=max_tokens, seed=seed, temperature=0.7, repetition_penalty=1.1, timeout=300.0
    )
    for piece in stream:
        print(piece.text, end="", flush=True)
    receipt, decision = stream.receipt, stream.decision
    if receipt is None or decision is None:
        raise SextantError("the story's stream ended without its receipt")
    tokens = receipt.items[0].generated_tokens
    print(f"\n\n  {tokens} tokens by {receipt.model}: first after {1000 * receipt.first_event_s:.0f} ms, ", end="")
    print(f"{tokens / receipt.total_s:.0f} tokens/s\n  {decision.explanation}")
    (out / "story.txt").write_text(stream.text + "\n", encoding="utf-8")


def _embeddings(client: Client, out: Path) -> None:
    _say(f"three sentences, by nearness to: {_QUERY}")
    *vectors, query = client.encode([*_SENTENCES, _QUERY], timeout=60.0)
    ranked = sorted(((float(v @ query), text) for v, text in zip(vectors, _SENTENCES, strict=True)), reverse=True)
    for similarity, text in ranked:
        print(f"  {similarity:+.3f}  {text}")
    content = [{"similarity": similarity, "text": text} for similarity, text in ranked]
    (out / "ranking.json").write_text(json.dumps({"query": _QUERY, "ranking": content}, indent=2) + "\n")


def _likelihoods(client: Client, out: Path) -> None:
    _say("how likely each is to follow “The capital of France is”, exactly")
    endings = (" Paris.", " London.", " cheese.")
    found = client.score(endings, context="The capital of France is", timeout=60.0)
    for ending, likelihood in zip(endings, found, strict=True):
        print(f"  {likelihood.log_likelihood_nats:8.3f} nats {ending}")
    content = {ending: likelihood.log_likelihood_nats for ending, likelihood in zip(endings, found, strict=True)}
    (out / "likelihoods.json").write_text(json.dumps(content, indent=2) + "\n")


def _pictures(out: Path) -> None:
    """All that is no text, by the commands that anyone would type."""
    clothes = [str(sample(f"fashion-{name}")) for name in ("sneaker", "bag", "dress", "coat")]
    emoji = [str(sample(f"noto-{name}")) for name in ("tulip", "castle", "unicorn", "football")]
    boot = str(sample("fashion-ankle-boot"))
    _noise(out / "noise.png")
    _lower_half(out / "lower-half.png", _CLOTHES)
    image = ("generate", "image", "--count", "16", "--seed", "7", "--quiet")
    walk = ("interpolate", "--frames", "24", "--loop")
    music = ("generate", "music")
    guided = ("--model", "fashion-diffusion", "--guidance", "2")
    pixel_by_pixel = ("--mask", f"{out}/lower-half.png", "--model", "fashion-pixelcnn")
    for headline, command in (
        ("pictures, what matters being speed", [*image, "--priority", "speed", *_into(out, "speed")]),
        (
            "pictures, what matters being a smooth latent space",
            [*image, "--priority", "smooth_interpolation", *_into(out, "smooth")],
        ),
        (
            "pictures, what matters being an exact likelihood",
            [*image, "--priority", "exact_likelihood", *_into(out, "exact")],
        ),
        ("sneakers", [*image, "--class", "sneaker", *_into(out, "sneakers")]),
        ("faces", [*image, "--model", "faces-stylegan", *_into(out, "faces")]),
        (
            "from a sneaker to an ankle boot",
            [*walk, clothes[0], boot, "--model", "fashion-vae", "--out", f"{out}/sneaker-to-boot.gif"],
        ),
        (
            "from a face to another",
            [*walk, "--model", "faces-stylegan", "--seed", "4", "--out", f"{out}/face-to-face.webp"],
        ),
        (
            "emoji from Noto's style to Fluent's",
            ["transform", *emoji, "--direction", "noto-to-fluent", *_into(out, "emoji")],
        ),
        ("how likely clothes are, and noise: exactly", ["score", "--exact", *clothes, f"{out}/noise.png"]),
        (
            "rows of telemetry like the shuttle's",
            ["generate", "table", "--model", "shuttle-realnvp", "--seed", "7", "--out", f"{out}/telemetry.csv"],
        ),
        (
            "pictures, what matters being quality",
            [*image, "--priority", "quality", *_into(out, "quality")],
        ),
        (
            "bags by diffusion, guided, and how the first one comes about",
            [*image, "--class", "bag", *guided, "--strip", f"{out}/denoising.png", *_into(out, "bags")],
        ),
        (
            "the lower half of clothes, pixel by pixel",
            ["transform", *clothes, boot, *pixel_by_pixel, "--seed", "7", *_into(out, "completed")],
        ),
        (
            "the digit five, spoken",
            ["generate", "audio", "--class", "5", "--seed", "7", "--out", f"{out}/five.wav"],
        ),
        (
            "a chorale in G major, as MIDI and as sound",
            [*music, "--key", "G major", "--seed", "7", "--out", f"{out}/chorale.mid"],
        ),
        (
            "another to the same melody",
            [*music, f"{out}/chorale.mid", "--keep", "soprano", "--seed", "8", "--out", f"{out}/chorale-again.mid"],
        ),
        (
            "how a word is said",
            ["generate", "text", "serendipity", "--model", "us-phonemes", "--beams", "4"],
        ),
    ):
        _show(headline, command)


def _faces(out: Path, served: set[str]) -> None:
    """What hybrids make of faces that are given."""
    faces = [str(sample(f"face-{name}")) for name in ("red-hair", "dark-glasses", "brown-hair", "green-hair")]
    mask = out / "lower-half-of-a-face.png"
    _lower_half(mask, _FACE)
    seeded = ("transform", *faces, "--seed", "7")
    for model, headline, command in (
        ("faces-unclip", "faces like these", [*seeded, *_into(out, "variations")]),
        (
            "faces-vqgan",
            "the lower half of faces, code by code",
            [*seeded, "--mask", str(mask), *_into(out, "completed-faces")],
        ),
    ):
        if model in served:
            _show(headline, [*command, "--model", model])


def _show(headline: str, command: Sequence[str]) -> None:
    """Run a command, told as one would type it."""
    _say(headline)
    print(f"  $ sextant {' '.join(_shortened(argument) for argument in command)}", flush=True)
    _sextant(*command)


def _into(out: Path, name: str) -> tuple[str, ...]:
    """Files in a directory of that name, and the sheet of them beside it."""
    return "--out", f"{out}/{name}", "--grid", f"{out}/{name}.png"


def _shortened(argument: str) -> str:
    """Samples by their names alone, as they lie deep in the package."""
    path = Path(argument)
    return f"samples/{path.name}" if path.parent == DIRECTORY else argument


def _noise(path: Path) -> None:
    """A picture of the size of the clothes, each pixel on its own."""
    pixels = (256 * RequestRng(seed=7).uniform("noise", shape=(_CLOTHES, _CLOTHES, 1))).astype(np.uint8)
    write_picture(path, Image(pixels))


def _lower_half(path: Path, size: int) -> None:
    """A mask of pictures of that many pixels each way: the upper half is kept."""
    pixels = np.zeros((size, size, 1), np.uint8)
    pixels[size // 2 :] = 255
    write_picture(path, Image(pixels))


def _sextant(*arguments: str) -> None:
    """Run another command of ours, as a user would."""
    if subprocess.run([sys.executable, "-m", "sextant", *arguments]).returncode != 0:
        raise SextantError(f"`sextant {arguments[0]}` failed")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _say(headline: str) -> None:
    print(f"\n— {headline}", flush=True)
