"""Small random decoders as Hugging Face directories, with a byte-level tokenizer that knows a few words."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

END, TURN, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TEXTS = ["the cat sat on the mat and the dog sat on the log", "once upon a time there was a small model", "naïve café"]


def tiny_tokenizer() -> Tokenizer:
    """256 bytes, a few merges, three special tokens."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=320, initial_alphabet=ByteLevel.alphabet(), special_tokens=[END, TURN, TURN_END], show_progress=False
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in (END, TURN, TURN_END)])
    return tokenizer


def id_of(special: str) -> int:
    """The id of one of the special tokens."""
    return [END, TURN, TURN_END].index(special)


def llama(directory: Path, **changes: Any) -> LlamaForCausalLM:
    """A LLaMA of awkward sizes, so that no kernel's remainder is left out. Saved to `directory`."""
    torch.manual_seed(7)
    sizes: dict[str, Any] = {
        "vocab_size": 323,
        "hidden_size": 48,
        "intermediate_size": 100,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "initializer_range": 0.3,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    model = LlamaForCausalLM(LlamaConfig(**{**sizes, **changes})).eval()
    return _saved(model, directory)


def gpt2(directory: Path, **changes: Any) -> GPT2LMHeadModel:
    """A GPT-2 with biases that are not zero. Saved to `directory`."""
    torch.manual_seed(11)
    sizes: dict[str, Any] = {
        "vocab_size": 323,
        "n_embd": 48,
        "n_layer": 2,
        "n_head": 3,
        "n_positions": 256,
        "initializer_range": 0.2,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    model = GPT2LMHeadModel(GPT2Config(**{**sizes, **changes})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.1)
    return _saved(model, directory)


def _saved(model: Any, directory: Path) -> Any:
    model.save_pretrained(directory)
    tiny_tokenizer().save(str(directory / "tokenizer.json"))
    (directory / "chat_template.jinja").write_text(TEMPLATE)
    return model


def torch_logits(model: Any, ids: list[int]) -> Any:
    """The model's logits float32[t, vocab] after each of `ids`."""
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy()
