"""What translation between styles is judged by: is the result nearer to the true counterpart than what was given?"""

from pathlib import Path

import numpy as np

from sextant.contract.media import Image
from sextant.contract.tasks import Conditions, Task, TaskKind
from sextant.zoo.data import emoji
from sextant.zoo.evaluate import sheets
from sextant.zoo.evaluate.features import features, predict
from sextant.zoo.evaluate.figures import Figures
from sextant.zoo.evaluate.judges import emoji_judge, emoji_values
from sextant.zoo.evaluate.latency import add_latency
from sextant.zoo.evaluate.reconstruction import feature_distance, reconstruction
from sextant.zoo.evaluate.served import Served, pixels_of


def cyclegan(served: Served, figures: Figures, sheet: Path) -> None:
    """A translator between emoji styles, against the true counterparts that training never paired."""
    pairs, judge = emoji.load(held_out=True), emoji_judge()
    both = np.concatenate([pairs.noto, pairs.fluent])
    right = (predict(judge, both) == emoji_values(emoji.kinds(pairs.names))).mean(0)
    for name, share in zip(judge.heads, right, strict=True):
        figures.add(f"judge_{name}_accuracy", share, "1", "held-out emoji; the network of the feature distances")
    for direction, source, truth in (
        ("noto-to-fluent", pairs.noto, pairs.fluent),
        ("fluent-to-noto", pairs.fluent, pairs.noto),
    ):
        tasks = (
            Task(
                TaskKind.TRANSFORM,
                seed=0,
                index=index,
                source=Image(image),
                conditions=Conditions(attributes={"direction": direction}),
            )
            for index, image in enumerate(source)
        )
        made = np.stack([pixels_of(result) for result in served.results(tasks)])
        for name, pictures in (("translated", made), ("untranslated", source)):
            near = reconstruction(pictures, truth)
            far = feature_distance(lambda images: features(judge, images), pictures, truth)
            on = f"{len(truth)} held-out emoji against their true counterparts, {direction}"
            prefix = f"{direction}/{name}"
            figures.add(f"{prefix}_ssim", near.ssim, "1", on)
            figures.add(f"{prefix}_squared_error", near.squared_error, "1", on)
            figures.add(f"{prefix}_feature_distance", far.relative, "1", f"{on}, over that of others")
        if direction == "noto-to-fluent":
            chosen = np.linspace(0, len(source) - 1, 60).astype(int)[20:36]
            sheets.pairs(source[chosen], made[chosen], truth[chosen]).save(sheet, optimize=True)
    add_latency(served, figures)
