"""Small BERT checkpoints with random weights, as transformers and sentence-transformers would save them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForMaskedLM, BertModel

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
_WORDS = ["the", "cat", "dog", "sea", "sun", "is", "was", "sleep", "walk", "sings", "red", "old", "of", "to"]
VOCABULARY = [*SPECIAL, *_WORDS, *_LETTERS, *(f"##{letter}" for letter in _LETTERS), "##ing", ".", ",", "!"]
MAX_POSITIONS = 70  # no multiple of 16, on purpose


def bert_config(**changes: Any) -> BertConfig:
    sizes = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": MAX_POSITIONS,
        "initializer_range": 0.3,  # far from uniform
    }
    return BertConfig(**{**sizes, **changes})


def tokenizer(*, lowercase: bool = True) -> Tokenizer:
    """As a training script leaves it: truncating and padding to a short length."""
    made = Tokenizer(WordPiece({token: index for index, token in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    made.add_special_tokens(list(SPECIAL))
    made.normalizer = BertNormalizer(lowercase=lowercase)
    made.pre_tokenizer = BertPreTokenizer()
    ends = [(token, VOCABULARY.index(token)) for token in ("[CLS]", "[SEP]")]
    made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    made.enable_truncation(12)
    made.enable_padding(length=12)
    return made


def save(model: torch.nn.Module, directory: Path, **config_changes: Any) -> Path:
    """The model as a directory; `config_changes` go into config.json only."""
    with torch.no_grad():
        for parameter in model.parameters():  # biases and scales start as zeros and ones
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.3)
    model.save_pretrained(directory)
    tokenizer().save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps({"mask_token": "[MASK]"}))
    rewrite(directory / "config.json", **config_changes)
    return directory


def bert(directory: Path, **changes: Any) -> tuple[BertModel, Path]:
    """A plain encoder."""
    torch.manual_seed(0)
    model = BertModel(bert_config(**changes)).eval()
    return model, save(model, directory)


def masked(directory: Path, **changes: Any) -> tuple[BertForMaskedLM, Path]:
    """An encoder that fills blanks."""
    torch.manual_seed(0)
    model = BertForMaskedLM(bert_config(**changes)).eval()
    return model, save(model, directory)


def add_modules(directory: Path, kinds: Sequence[str], pooling: dict[str, Any]) -> Path:
    """sentence-transformers' files beside a checkpoint."""
    paths = ["" if index == 0 else f"{index}_{kind}" for index, kind in enumerate(kinds)]
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    (directory / "modules.json").write_text(json.dumps(modules))
    for path in paths[1:]:
        (directory / path).mkdir()
        (directory / path / "config.json").write_text(json.dumps(pooling))
    return directory


def rewrite(path: Path, **changes: Any) -> None:
    """Change keys of a JSON object; None drops one."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def torch_states(model: BertModel, text: str) -> torch.Tensor:
    """The last layer's states [tokens, width] of one text, unpadded."""
    with torch.no_grad():
        return model(torch.tensor([torch_ids(text)])).last_hidden_state[0]


def torch_ids(text: str) -> list[int]:
    free = tokenizer()
    free.no_truncation()
    free.no_padding()
    ids: list[int] = free.encode(text).ids
    return ids
