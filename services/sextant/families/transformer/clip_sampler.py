"""CLIP's text encoder as a sampler: a text to the states of all its tokens, which pictures are conditioned on.

Every text is padded to the same length, as the models that read its states were trained with; the empty one is a text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from tokenizers import Tokenizer

from sextant.bundles.manifest import Manifest
from sextant.bundles.store import Bundle
from sextant.bundles.verify import explain
from sextant.contract.errors import BundleRefused, InvalidRequest, UnsupportedTask
from sextant.contract.events import Result, Usage
from sextant.contract.media import Latent, Text
from sextant.contract.tasks import Task, TaskKind
from sextant.families.labels import read_class
from sextant.families.row_network import RowNetwork
from sextant.families.row_states import Rows, RowSampler, open_network
from sextant.families.transformer.clip_config import ClipTextConfig
from sextant.families.unread import refuse_unread
from sextant.runtime.rng import RequestRng
from sextant.runtime.sampler import Cost, Limits
from sextant.runtime.session import SessionConfig

ENCODER = "encoder"
NETWORK_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
_SLOTS = 256
_MOST_CHARACTERS_PER_TOKEN = 100  # refused without tokenising it


@dataclass(slots=True)
class ClipTextState:
    """`ids` int64[tokens], padded; `length` of them are the text's, its marks included."""

    index: int
    ids: NDArray[np.int64]
    length: int
    space: str
    states: NDArray[np.float32] | None = None
    done: bool = False
    steps_done: int = 0
    steps_total: int = 1
    network: str = ENCODER

    def inputs(self) -> Rows:
        """The tokens."""
        return {"input_ids": self.ids[None]}

    def take(self, outputs: Rows) -> None:
        """The states [1, tokens, width]."""
        self.states = outputs["states"][0].copy()
        self.done, self.steps_done = True, 1

    def result(self) -> Result:
        """The states as a latent."""
        if self.states is None:
            raise RuntimeError("the text has not been encoded yet")
        return Result(self.index, Latent(self.space, self.states), usage=Usage(prompt_tokens=self.length))


class ClipTextSampler(RowSampler):
    """See `runtime.sampler.Sampler`."""

    def __init__(self, manifest: Manifest, network: RowNetwork, tokenizer: Tokenizer, config: ClipTextConfig) -> None:
        self._name, self._networks = manifest.name, {ENCODER: network}
        self._tokenizer, self._config = tokenizer, config
        self.limits = Limits(rows_per_step=config.rows_per_step, slots=_SLOTS)

    @classmethod
    def load(cls, bundle: Bundle, session_config: SessionConfig) -> "ClipTextSampler":
        """The encoder in a bundle. Raises `BundleRefused` where its manifest or tokenizer does not fit."""
        manifest = bundle.manifest
        try:
            config = ClipTextConfig.model_validate(manifest.network)
        except ValidationError as error:
            raise BundleRefused(manifest.name, explain(error)) from error
        if manifest.latent_spaces != (config.latent_space,):
            raise BundleRefused(manifest.name, "its latent space is not that of its network")
        try:
            tokenizer = Tokenizer.from_str(bundle.file(TOKENIZER_FILE).read_text("utf-8"))
        except BundleRefused:
            raise
        except Exception as error:  # `tokenizers` raises nothing more specific
            raise BundleRefused(manifest.name, f"its tokenizer cannot be used: {error}") from error
        # Many files carry these from training, and would cut texts off without a word.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        network = open_network(
            bundle,
            NETWORK_FILE,
            session_config,
            {"input_ids": (config.tokens,)},
            {"states": (config.tokens, config.width)},
        )
        return cls(manifest, network, tokenizer, config)

    def cost(self, task: Task) -> Cost:
        """A row: texts are all of one length."""
        return Cost()

    def start(self, task: Task, rng: RequestRng) -> ClipTextState:
        """Check and tokenise the task. Raises `InvalidRequest` and `UnsupportedTask`."""
        if task.kind is not TaskKind.ENCODE:
            raise UnsupportedTask(self._name, f"this encoder reads texts; it has no {task.kind}")
        refuse_unread(task)
        read_class(task.conditions, ())
        field, most = f"items[{task.index}].text", self._config.tokens
        if not isinstance(task.source, Text):
            raise InvalidRequest(field, "must hold a text")
        if len(task.source.content) > most * _MOST_CHARACTERS_PER_TOKEN:
            raise InvalidRequest(field, f"has {len(task.source.content)} characters, far more than {most} tokens")
        ids = self._tokenizer.encode(task.source.content).ids
        if len(ids) > most:
            raise InvalidRequest(field, f"has {len(ids)} tokens with the model's own marks; it reads at most {most}")
        padded = np.full(most, self._config.pad, np.int64)
        padded[: len(ids)] = ids
        return ClipTextState(task.index, padded, len(ids), self._config.space)


def warm_up() -> Sequence[Task]:
    """A task that touches every code path once."""
    return (Task(TaskKind.ENCODE, seed=0, source=Text("a")),)
