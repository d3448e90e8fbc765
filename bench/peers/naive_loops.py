"""Autoregressive sampling without a memory: the whole network again for each value. Measured in part, and scaled."""

import time

import torch

from sextant.families.autoregressive.pixel_networks import PixelCnn
from sextant.families.autoregressive.wave_networks import FRAME, WaveNet

_LEVELS = 256


@torch.inference_mode()
def seconds_a_picture(network: PixelCnn, width: int, pixels: int) -> float:
    """Seconds for `width` pictures at once, from `pixels` pixels, each a forward pass of the whole picture."""
    level, label = torch.zeros(width, 1, network.size, network.size), torch.arange(width) % network.classes
    started = time.perf_counter()
    for place in range(pixels):
        row, column = divmod(place, network.size)
        shares = network(level, label)[:, :, row, column].softmax(1)
        level[:, 0, row, column] = shares.multinomial(1)[:, 0].float()
    return (time.perf_counter() - started) / pixels * network.size**2


@torch.inference_mode()
def seconds_a_sound(network: WaveNet, width: int, samples: int, measured: int) -> float:
    """Seconds for `width` sounds of `samples` at once, from `measured` samples: a forward pass of all before each.

    Those measured are spread over the sound evenly, so that their mean length is that of the whole loop.
    """
    label = torch.arange(width)
    spent = 0.0
    for number in range(measured):
        length = max(FRAME, round(samples * (number + 0.5) / measured / FRAME) * FRAME)
        level = torch.randint(_LEVELS, (width, length))
        started = time.perf_counter()
        shares = network(level, label % network.classes, label % network.voices)[:, -1].softmax(1)
        level[:, -1] = shares.multinomial(1)[:, 0]
        spent += time.perf_counter() - started
    return spent / measured * samples
