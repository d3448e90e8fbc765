"""Runs in the peers' environment: SmolLM2's GGUF file to a Hugging Face directory with the same weights, in fp32."""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

source, destination = Path(sys.argv[1]), Path(sys.argv[2])
loaded = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
config = {key: value for key, value in loaded.config.to_dict().items() if key != "quantization_config"}
# transformers refuses to save what it loaded from GGUF; the same weights in a fresh model it saves.
model = LlamaForCausalLM(LlamaConfig(**config))
model.load_state_dict(loaded.state_dict())
model.tie_weights()
model.save_pretrained(destination)
AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(destination)
