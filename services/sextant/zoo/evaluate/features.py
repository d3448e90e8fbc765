"""The feature network: a small residual classifier, trained on a data set whose samples are then judged by it.

A residual network with the activations before the convolutions (He et al. 2016, "Identity mappings in deep residual
networks") over 28 x 28 to 64 x 64 pixels. What precedes its last layer are the features in which samples and data are
compared, as Inception's are for photographs (Heusel et al. 2017); a network of the data set's own tells its classes
apart far better than one trained on photographs. Trained with AdamW (Loshchilov & Hutter 2019) and one cycle of the
learning rate (Smith & Topin 2019).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

# What a training reports as it goes: steps done, steps in all, the loss of the last step (cross-entropy in nats).
Progress = Callable[[int, int, float], None]

_WIDTHS = (32, 64, 128)
_CLASS = "class"  # the name of the only label there is
_SHAPE = "shape"  # the entry of a file's metadata
_LARGEST_AT_FULL_RESOLUTION = 32  # pixels; larger pictures are halved by the first convolution
_ROWS_AT_ONCE = 500


class _Block(nn.Module):
    """x[b, inner, h, w] -> [b, outer, h / stride, w / stride]: two 3 x 3 convolutions and a way around them."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(inner), nn.BatchNorm2d(outer)
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        same = inner == outer and stride == 1
        self.around = nn.Identity() if same else nn.Conv2d(inner, outer, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = F.relu(self.norm1(x))
        around: Tensor = x if isinstance(self.around, nn.Identity) else self.around(active)
        inside: Tensor = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return around + inside


class FeatureNet(nn.Module):
    """Pictures float[b, channels, h, w] in [0, 1] -> features [b, 128] -> the scores of every label.

    `classes` is the number of classes, or, where a picture has several labels, the number of values of each by name.
    """

    def __init__(self, channels: int, classes: int | Mapping[str, int], *, stem_stride: int = 1) -> None:
        super().__init__()
        self.channels, self.stem_stride = channels, stem_stride
        self.heads = {_CLASS: classes} if isinstance(classes, int) else dict(classes)
        self.stem = nn.Conv2d(channels, _WIDTHS[0], 3, stem_stride, 1, bias=False)
        inner = (_WIDTHS[0], *_WIDTHS[:-1])
        self.blocks = nn.Sequential(*(_Block(i, o, 2) for i, o in zip(inner, _WIDTHS, strict=True)))
        self.norm = nn.BatchNorm2d(_WIDTHS[-1])
        self.scores = nn.Linear(_WIDTHS[-1], sum(self.heads.values()))

    def embed(self, images: Tensor) -> Tensor:
        """The features [b, 128]: the last convolution's activations, averaged over the picture."""
        x = self.blocks(self.stem(images * 2 - 1))
        return F.relu(self.norm(x)).mean((2, 3))

    def forward(self, images: Tensor) -> list[Tensor]:
        """The scores (logits) of each label's values, [b, values] for each head in turn."""
        scores: Tensor = self.scores(self.embed(images))
        return list(scores.split(list(self.heads.values()), dim=1))


def train_classifier(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    epochs: int = 13,
    seed: int = 0,
    threads: int = 1,
    progress: Progress | None = None,
    shift: int = 2,
    flip: bool = True,
    smoothing: float = 0.0,
) -> FeatureNet:
    """A classifier of pictures uint8[n, h, w, c] with labels int[n] from 0; see `train_attribute_classifier`."""
    heads = {_CLASS: int(labels.max()) + 1}
    return train_attribute_classifier(
        images,
        labels[:, None],
        heads,
        epochs=epochs,
        seed=seed,
        threads=threads,
        progress=progress,
        shift=shift,
        flip=flip,
        smoothing=smoothing,
    )


def train_attribute_classifier(
    images: NDArray[np.uint8],
    values: NDArray[np.int64],
    heads: Mapping[str, int],
    *,
    epochs: int = 13,
    seed: int = 0,
    threads: int = 1,
    progress: Progress | None = None,
    shift: int = 2,
    flip: bool = True,
    smoothing: float = 0.0,
    batch: int = 128,
    rate: float = 8e-3,
) -> FeatureNet:
    """A classifier of pictures uint8[n, h, w, c] with a value of every label, int[n, len(heads)], from 0.

    `heads` is the number of values of each label. Pictures are moved by up to `shift` pixels and, with `flip`,
    mirrored half of the time: leave out what would change a label. `smoothing` is the share of a label spread over
    all its values. The same arguments give the same network on one kind of processor.
    """
    _check(images, values, heads, batch)
    with torch.random.fork_rng(), _threads(threads):
        torch.manual_seed(seed)
        stem_stride = 1 if images.shape[1] <= _LARGEST_AT_FULL_RESOLUTION else 2
        net = FeatureNet(images.shape[3], heads, stem_stride=stem_stride)
        net.to(memory_format=torch.channels_last)
        pictures = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        targets = torch.from_numpy(values.astype(np.int64))
        steps = epochs * (len(pictures) // batch)
        optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.05)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.2)
        for step, rows in enumerate(_batches(len(pictures), batch, epochs)):
            seen = _moved(pictures[rows], shift, flip)
            with torch.autocast("cpu", torch.bfloat16):
                scores = net(seen)
            losses = [
                F.cross_entropy(score.float(), targets[rows, head], label_smoothing=smoothing)
                for head, score in enumerate(scores)
            ]
            loss = torch.stack(losses).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            cycle.step()
            if progress is not None:
                progress(step + 1, steps, float(loss.detach()))
    net.eval()
    return net


def features(net: FeatureNet, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The features of pictures uint8[n, h, w, c], float32[n, 128], worked out in float32 throughout."""
    return _over(net, images, net.embed)


def predict(net: FeatureNet, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The likeliest value of every label, int64[n, labels]; int64[n] where there is but one."""

    def likeliest(batch: Tensor) -> Tensor:
        return torch.stack([scores.argmax(1) for scores in net(batch)], dim=1)

    chosen = _over(net, images, likeliest)
    return chosen[:, 0] if len(net.heads) == 1 else chosen


def accuracy(net: FeatureNet, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """The share of labels told rightly, in [0, 1]: of int[n] or, over all labels alike, of int[n, labels]."""
    return float((predict(net, images) == labels).mean())


def save(net: FeatureNet, path: Path) -> None:
    """Write a network as safetensors, with what is needed to build it again in the file's metadata."""
    shape = {"channels": net.channels, "heads": net.heads, "stem_stride": net.stem_stride}
    tensors = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    save_file(tensors, path, metadata={_SHAPE: json.dumps(shape)})


def load(path: Path) -> FeatureNet:
    """The network in a file that `save` wrote."""
    with safe_open(path, framework="pt") as file:
        shape = json.loads(file.metadata()[_SHAPE])
        net = FeatureNet(shape["channels"], shape["heads"], stem_stride=shape["stem_stride"])
        net.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    net.eval()
    return net


def _check(images: NDArray[np.uint8], values: NDArray[np.int64], heads: Mapping[str, int], batch: int) -> None:
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(f"pictures must be uint8[n, h, w, c], not {images.dtype}{list(images.shape)}")
    if values.shape != (len(images), len(heads)):
        raise ValueError(f"{len(images)} pictures with {len(heads)} labels cannot have values{list(values.shape)}")
    if len(images) < batch:
        raise ValueError(f"{len(images)} pictures are fewer than a batch of {batch}")
    for head, (name, size) in enumerate(heads.items()):
        if values[:, head].min() < 0 or values[:, head].max() >= size:
            raise ValueError(f"values of {name} must lie in 0 to {size - 1}")


def _batches(count: int, batch: int, epochs: int) -> Iterator[Tensor]:
    for _ in range(epochs):
        order = torch.randperm(count)
        for start in range(0, count - batch + 1, batch):
            yield order[start : start + batch]


def _moved(pictures: Tensor, shift: int, flip: bool) -> Tensor:
    """float[b, c, h, w] in [0, 1]: each picture moved and mirrored by chance, its edge pixels filling the gap."""
    count, _, height, width = pictures.shape
    rows = (torch.arange(height) + torch.randint(-shift, shift + 1, (count, 1))).clamp(0, height - 1)
    columns = (torch.arange(width) + torch.randint(-shift, shift + 1, (count, 1))).clamp(0, width - 1)
    if flip:
        columns = torch.where(torch.rand(count, 1) < 0.5, columns, columns.flip(1))
    each = torch.arange(count)[:, None, None]
    # Indexing around the channels puts them last: [b, h, w, c], which is the order convolutions are fastest in.
    moved = pictures[each, :, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2).float() / 255


def _over(net: FeatureNet, images: NDArray[np.uint8], function: Callable[[Tensor], Tensor]) -> NDArray[Any]:
    """`function` of all pictures in parts, with the network in evaluation mode."""
    net.eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(images), _ROWS_AT_ONCE):
            part = torch.from_numpy(images[start : start + _ROWS_AT_ONCE].copy())
            parts.append(function(part.permute(0, 3, 1, 2).float() / 255).numpy())
    return np.concatenate(parts)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """torch works in `count` threads inside this context."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
