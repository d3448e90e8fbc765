"""Runs in the peers' environment: tokens per second of transformers `generate`, a static batch, greedy.

Arguments: model directory, prompt token ids as JSON, new tokens, threads, widths as JSON. Prints JSON by width.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM

directory, prompt, new_tokens, threads, widths = (
    sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), json.loads(sys.argv[5])
)  # fmt: skip
torch.set_num_threads(threads)
model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()


def seconds(width: int, tokens: int) -> float:
    ids = torch.tensor([prompt] * width)
    started = time.perf_counter()
    with torch.inference_mode():
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), min_new_tokens=tokens, max_new_tokens=tokens, do_sample=False
        )
    assert out.shape[1] == len(prompt) + tokens
    return time.perf_counter() - started


seconds(1, 4)
print(json.dumps({width: [width * new_tokens / seconds(width, new_tokens) for _ in range(3)] for width in widths}))
