"""Runs in the peers' environment: tokens per second of onnxruntime-genai's generator, a static batch, greedy.

Arguments: model directory, prompt token ids as JSON, new tokens, threads, widths as JSON. Prints JSON by width.
"""

import json
import sys
import time

import onnxruntime_genai as og

directory, prompt, new_tokens, threads, widths = (
    sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), json.loads(sys.argv[5])
)  # fmt: skip
config = og.Config(directory)
config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": threads}}}}))
model = og.Model(config)


def seconds(width: int, tokens: int) -> float:
    params = og.GeneratorParams(model)
    length = len(prompt) + tokens
    params.set_search_options(do_sample=False, min_length=length, max_length=length, batch_size=width)
    started = time.perf_counter()
    generator = og.Generator(model, params)
    generator.append_tokens([prompt] * width if width > 1 else prompt)
    steps = 0
    while not generator.is_done():
        generator.generate_next_token()
        steps += 1
    assert steps == tokens, (steps, tokens)
    return time.perf_counter() - started


seconds(1, 4)
print(json.dumps({width: [width * new_tokens / seconds(width, new_tokens) for _ in range(3)] for width in widths}))
