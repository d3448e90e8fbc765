"""Text: tokens per second by number of streams, for the engine, through the gateway, and for other engines."""

import asyncio
import time
from pathlib import Path
from statistics import median
from typing import Any

from tokenizers import Tokenizer

from bench import peers
from bench.engine import Engine, greedy, tokens_per_second
from bench.platform import platform
from sextant.bundles.catalogue import entry
from sextant.bundles.progress import no_progress
from sextant.bundles.sources import fetch, parse_source
from sextant.bundles.store import cache_directory
from sextant.client import AsyncClient
from sextant.families.importing import pull

WIDTHS = [1, 4, 16]
NEW_TOKENS = 64
ROUNDS = 4
THREADS = 2
PROMPT = (
    "The old harbour town had two lighthouses, one of stone and one of iron, and the people who lived there "
    "told a different story about each of them on every winter evening"
)
_SHOWN = {"engine": "**Sextant, engine alone**", "gateway": "**Sextant, through the gateway**"}
MODELS = {"fp32": "smollm2-135m-instruct-fp32", "int8": "smollm2-135m-instruct"}


def measure() -> dict[str, Any]:
    """Medians: {"fp32": {"engine": {1: tokens/s, ...}, ...}, "int8": ...}, and the join.

    Everyone takes turns, round after round, so that a machine that is slower for a minute is so for all.
    """
    bundles = {precision: pull(name, cache_directory(), no_progress) for precision, name in MODELS.items()}
    prompt_ids = Tokenizer.from_file(str(bundles["int8"].file("tokenizer.json"))).encode(PROMPT).ids
    weights = entry(MODELS["fp32"])
    gguf = fetch(parse_source(weights.source), weights.sha256, cache_directory(), no_progress)
    others = peers.prepare(Path(gguf))
    found: dict[str, Any] = {}
    for precision, bundle in bundles.items():
        runs: dict[str, dict[int, list[float]]] = {}

        def note(name: str, measured: dict[int, list[float]], runs: dict[str, Any] = runs) -> None:
            for width, values in measured.items():
                runs.setdefault(name, {}).setdefault(width, []).extend(values)

        engine = Engine(bundle, THREADS)
        tokens_per_second(engine, PROMPT, 8, max(WIDTHS))
        with platform({"transformer": {"models": [MODELS[precision]], "intra_op_threads": THREADS}}) as running:
            for _ in range(ROUNDS):
                note("engine", {w: [tokens_per_second(engine, PROMPT, NEW_TOKENS, w) for _ in "12"] for w in WIDTHS})
                note("gateway", asyncio.run(_through_gateway(running.target, MODELS[precision])))
                for peer, directory in others.items():
                    name, its_precision = peer.rsplit(" ", 1)
                    if its_precision == precision:
                        arguments = (prompt_ids, NEW_TOKENS, THREADS, WIDTHS)
                        note(name, peers.tokens_per_second(peer, directory, *arguments))
        join = _join(engine)
        del engine
        medians = {name: {w: median(values) for w, values in widths.items()} for name, widths in runs.items()}
        found[precision] = {**medians, "join": join}
    return {"prompt_tokens": len(prompt_ids), "new_tokens": NEW_TOKENS, "threads": THREADS, **found}


async def _through_gateway(target: str, model: str) -> dict[int, list[float]]:
    async with AsyncClient(target) as client:

        async def one() -> None:
            stream = client.generate_text(
                PROMPT,
                model=model,
                max_tokens=NEW_TOKENS,
                temperature=0.0,
                ignore_end_of_text=True,
                continue_prompt=True,
            )
            async for _ in stream:
                pass
            assert stream.receipt is not None
            assert stream.receipt.items[0].generated_tokens == NEW_TOKENS

        async def rate(width: int) -> float:
            started = time.perf_counter()
            await asyncio.gather(*(one() for _ in range(width)))
            return width * NEW_TOKENS / (time.perf_counter() - started)

        await rate(max(WIDTHS))
        return {width: [await rate(width) for _ in "12"] for width in WIDTHS}


def _join(engine: Engine) -> dict[str, float]:
    """How long a request that joins 8 decoding ones waits for its first token, against prefill and decode steps."""
    from sextant.contract.events import Chunk
    from sextant.contract.tasks import Request

    def first_token_s(company: int) -> float:
        scheduler = engine.scheduler
        others = [
            scheduler.submit(Request(f"other {number}", engine.name, (greedy(PROMPT, 400),)))
            for number in range(company)
        ]
        for _ in range(3 * company):
            _tick(engine)
        started = time.perf_counter()
        joined = scheduler.submit(Request("joins", engine.name, (greedy(PROMPT, 1),)))
        while not any(d.ticket is joined and any(isinstance(e.body, Chunk) for e in d.events) for d in _tick(engine)):
            pass
        waited = time.perf_counter() - started
        for ticket in others:
            scheduler.cancel(ticket)
        while not scheduler.idle():
            _tick(engine)
        return waited

    def step_s() -> float:
        tickets = [
            engine.scheduler.submit(Request(f"step {number}", engine.name, (greedy(PROMPT, 400),)))
            for number in range(8)
        ]
        for _ in range(16):
            _tick(engine)
        started = time.perf_counter()
        for _ in range(10):
            _tick(engine)
        seconds = (time.perf_counter() - started) / 10
        for ticket in tickets:
            engine.scheduler.cancel(ticket)
        while not engine.scheduler.idle():
            _tick(engine)
        return seconds

    alone, step = median(first_token_s(0) for _ in range(5)), median(step_s() for _ in range(3))
    among = median(first_token_s(8) for _ in range(5))
    return {"prefill_alone_s": alone, "decode_step_of_8_s": step, "first_token_among_8_s": among}


def _tick(engine: Engine) -> list[Any]:
    deliveries, _ = engine.scheduler.tick()
    for delivery in deliveries:
        engine.scheduler.acknowledge(delivery.ticket, delivery.ticket.produced)
    return deliveries


def table(found: dict[str, Any]) -> str:
    """The figures as Markdown."""
    lines = [
        f"Tokens per second, greedy, {found['prompt_tokens']} prompt tokens and {found['new_tokens']} new ones per "
        f"stream, {found['threads']} threads, medians of {2 * ROUNDS} runs in turns; prefill included.",
        "",
        "| | " + " | ".join(f"{width} stream{'s' if width > 1 else ''}" for width in WIDTHS) + " |",
        "|---" * (len(WIDTHS) + 1) + "|",
    ]
    for precision in ("fp32", "int8"):
        rows = {name: values for name, values in found[precision].items() if name != "join"}
        for name, values in rows.items():
            shown = {"engine": "**Sextant, engine alone**", "gateway": "**Sextant, through the gateway**"}.get(
                name, name
            )
            lines.append(f"| {shown}, {precision} | " + " | ".join(f"{values[width]:.0f}" for width in WIDTHS) + " |")
    lines.append("")
    for precision in ("fp32", "int8"):
        values = found[precision]
        kept = ", ".join(f"{values['gateway'][w] / values['engine'][w]:.0%}" for w in WIDTHS)
        lines.append(f"- {precision}: the gateway keeps {kept} of the engine at {', '.join(map(str, WIDTHS))} streams.")
        for peer in ("transformers", "onnxruntime-genai"):
            if peer in values:
                ahead = ", ".join(f"{values['engine'][w] / values[peer][w]:.2f}x" for w in WIDTHS)
                lines.append(f"- {precision}: the engine runs at {ahead} of {peer}.")
        join = values["join"]
        bound = join["prefill_alone_s"] + 2 * join["decode_step_of_8_s"]
        among, alone, step = (
            f"{1000 * seconds:.0f} ms"
            for seconds in (join["first_token_among_8_s"], join["prefill_alone_s"], join["decode_step_of_8_s"])
        )
        lines.append(
            f"- {precision}: joining 8 decoding streams, the first token comes after {among}; prefill alone takes "
            f"{alone}, a decode step of 8 {step}, prefill and two such steps {1000 * bound:.0f} ms."
        )
    return "\n".join(lines)
