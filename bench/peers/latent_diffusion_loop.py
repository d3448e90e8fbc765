"""Latent diffusion under words as one writes it by hand: the same ONNX sessions, one after the other, in one loop.

No scheduler, no graph, no requests: a picture at a time, in DPM-Solver++ 2M (Lu et al. 2022, algorithm 2) with
classifier-free guidance. It is given the noise that the served model would draw, so that the pictures can be compared.
"""

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sextant.bundles.store import BundleStore
from sextant.runtime.session import SessionConfig, open_session

_PAD_MULTIPLE = 16


class LatentDiffusionLoop:
    """The sessions of a text encoder, a denoiser that predicts v, and a decoder, by the names of their bundles."""

    def __init__(self, store: BundleStore, text: str, denoiser: str, vae: str, threads: int) -> None:
        config = SessionConfig(intra_op_threads=threads)
        words, unet, decoder = store.open(text), store.open(denoiser), store.open(vae)
        self._tokenizer = Tokenizer.from_file(str(words.file("tokenizer.json")))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._words: ort.InferenceSession = open_session(words.file("model.onnx"), config)
        self._unet: ort.InferenceSession = open_session(unet.file("denoiser.onnx"), config)
        self._decoder: ort.InferenceSession = open_session(decoder.file("decoder.onnx"), config)
        self._tokens = int(unet.manifest.network["context"]["tokens"])
        self._steps, self._guidance = int(unet.manifest.defaults["steps"]), float(unet.manifest.defaults["guidance"])
        latent = unet.manifest.network["latent"]
        self._scale, self._shift = float(latent.get("scale", 1.0)), float(latent.get("shift", 0.0))
        self._t, self._alpha, self._sigma = _course(int(unet.manifest.network["train_steps"]), self._steps)

    def picture(self, prompt: str, noise: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The picture uint8[h, w, 3] of a prompt, from noise float32[c, h, w] of the latent space."""
        context, mask = self._read(prompt)
        x, x0_before, h_before = noise, None, 1.0
        for at in range(self._steps):
            a, s, a_next, s_next = self._alpha[at], self._sigma[at], self._alpha[at + 1], self._sigma[at + 1]
            fed = {"x": np.stack([x, x]), "t": np.full(2, self._t[at], np.float32), "context": context, "mask": mask}
            away, to = self._unet.run(None, fed)[0]
            v = away + np.float32(self._guidance) * (to - away)
            x0 = np.float32(a) * x - np.float32(s) * v
            h = np.inf if a == 0 or s_next == 0 else float(np.log(a_next / s_next) - np.log(a / s))
            direction = x0
            if x0_before is not None and s_next > 0:
                direction = x0 + np.float32(h / (2 * h_before)) * (x0 - x0_before)
            x = np.float32(s_next / s) * x + np.float32(-a_next * np.expm1(-h)) * direction
            x0_before, h_before = x0, h
        z = x / np.float32(self._scale) + np.float32(self._shift)
        image = self._decoder.run(None, {"z": z[None]})[0][0]
        return np.rint(image.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)

    def denoise(self, rows: int) -> None:
        """The calls of the denoiser for one picture, with so many rows in each, of nothing in particular."""
        shapes = {one.name: one.shape[1:] for one in self._unet.get_inputs()}
        fed = {name: np.zeros((rows, *shape), np.float32) for name, shape in shapes.items()}
        for _ in range(self._steps):
            self._unet.run(None, fed)

    def _read(self, prompt: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Nothing, and the prompt: the encoder's states float32[2, tokens, width], and where they are."""
        ids = self._tokenizer.encode(prompt).ids
        padded = np.zeros((1, -(-len(ids) // _PAD_MULTIPLE) * _PAD_MULTIPLE), np.int64)
        padded[0, : len(ids)] = ids
        states = self._words.run(["states"], {"input_ids": padded, "lengths": np.array([len(ids)], np.int32)})[0]
        context = np.zeros((2, self._tokens, states.shape[2]), np.float32)
        context[1, : len(ids)] = states[0, : len(ids)]
        mask = np.zeros((2, self._tokens), np.float32)
        mask[1, : len(ids)] = 1
        return context, mask


def _course(train_steps: int, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What the network is told at each step, and alpha and sigma there and at the end, of the cosine schedule."""
    at = np.arange(train_steps + 1) / train_steps
    curve = np.cos((at + 0.008) / 1.008 * np.pi / 2) ** 2
    bars = np.cumprod(1 - np.minimum(1 - curve[1:] / curve[:-1], 0.999))
    visited = np.arange(train_steps, 0, -train_steps / steps).round().astype(np.int64)[:steps] - 1
    kept = np.append(bars[visited], 1.0)
    return visited.astype(np.float64), np.sqrt(kept), np.sqrt(1 - kept)
