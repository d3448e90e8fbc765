"""SmolLM2's real weights against transformers on the same file, and int8 against fp32."""

import pydoc_data.topics
from pathlib import Path

import numpy as np
import pytest

from sextant.bundles.catalogue import entry
from sextant.bundles.progress import no_progress
from sextant.bundles.sources import fetch, parse_source
from sextant.bundles.store import Bundle, cache_directory
from sextant.contract.events import Chunk, Likelihood, Result
from sextant.contract.media import Text
from sextant.contract.tasks import Request, Task, TaskKind, TextParameters
from sextant.families.transformer import FAMILY
from sextant.runtime.scheduler import StepScheduler
from sextant.runtime.session import SessionConfig
from tests.conftest import TEXT_MODEL, pulled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

PROMPTS = (
    "The history of the lighthouse begins", "Once upon a time", "def fibonacci(n):", "The capital of France is",
    "In 1687 Isaac Newton", "My favourite recipe for bread", "The weather today", "import numpy as np\n",
    "To be, or not to be", "Dear Sir or Madam,", "The mitochondria", "A train leaves the station at 9:15",
    "She opened the letter and", "Es war einmal", "Water boils at", "The stock market", "1, 1, 2, 3, 5,",
    "Roses are red,", "The meaning of life", "Breaking news:",
)  # fmt: skip
NEW_TOKENS = 64


def run(bundle: Bundle, tasks: list[Task]) -> tuple[list[Result], dict[int, list[int]]]:
    """The results of tasks that arrive together, in order, and each one's tokens."""
    scheduler = StepScheduler(FAMILY.load(bundle, SessionConfig()), max_queue=len(tasks))
    scheduler.submit(Request("r", bundle.manifest.name, tuple(tasks)))
    results: dict[int, Result] = {}
    tokens: dict[int, list[int]] = {task.index: [] for task in tasks}
    while len(results) < len(tasks):
        for delivery in scheduler.tick()[0]:
            assert delivery.error is None, delivery.error
            scheduler.acknowledge(delivery.ticket, delivery.ticket.produced)
            for event in delivery.events:
                if isinstance(event.body, Chunk):
                    tokens[event.body.item] += [token.token_id for token in event.body.delta.tokens]
                elif isinstance(event.body, Result):
                    results[event.body.item] = event.body
    return [results[index] for index in range(len(tasks))], tokens


def test_greedy_text_equals_transformers_for_20_prompts_of_64_tokens():
    """All 20 side by side in the batch, each against transformers alone. Any divergence is shown with both logits."""
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer
    from transformers import AutoModelForCausalLM

    bundle = pulled(TEXT_MODEL + "-fp32")
    parameters = TextParameters(
        max_tokens=NEW_TOKENS,
        temperature=0.0,
        repetition_penalty=1.0,
        logprobs=0,
        ignore_end_of_text=True,
        continue_prompt=True,
    )
    tasks = [Task(TaskKind.GENERATE, 0, i, prompt=p, parameters=parameters) for i, p in enumerate(PROMPTS)]
    _, ours = run(bundle, tasks)

    weights = entry(TEXT_MODEL + "-fp32")
    gguf = Path(fetch(parse_source(weights.source), weights.sha256, cache_directory(), no_progress))
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32).eval()
    tokenizer = Tokenizer.from_file(str(bundle.file("tokenizer.json")))
    diverged = []
    with torch.inference_mode():
        for index, prompt in enumerate(PROMPTS):
            ids = torch.tensor([tokenizer.encode(prompt).ids])
            made = model.generate(
                ids, attention_mask=torch.ones_like(ids), min_new_tokens=NEW_TOKENS, max_new_tokens=NEW_TOKENS,
                do_sample=False, eos_token_id=-1,
            )[0, ids.shape[1] :].tolist()  # fmt: skip
            assert len(ours[index]) == len(made) == NEW_TOKENS
            place = next((i for i in range(NEW_TOKENS) if ours[index][i] != made[i]), None)
            if place is not None:
                logits = model(torch.cat([ids[0], torch.tensor(made[:place], dtype=ids.dtype)])[None]).logits[0, -1]
                diverged.append((prompt, place, float(logits[ours[index][place]]), float(logits[made[place]])))
    assert not diverged, "prompt, place, logit of our token, logit of theirs"


def test_int8_perplexity_is_within_three_percent_of_fp32_on_20000_tokens():
    """Python's language reference, which no calibration saw: there is none."""
    text = "\n\n".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics))
    pieces = [text[start : start + 2000] for start in range(0, 200_000, 2000)]
    perplexities = {}
    for precision, name in (("int8", TEXT_MODEL), ("fp32", TEXT_MODEL + "-fp32")):
        tasks = [Task(TaskKind.SCORE, 0, i, source=Text(piece)) for i, piece in enumerate(pieces[:50])]
        scores = [result.content for result in run(pulled(name), tasks)[0]]
        assert all(isinstance(score, Likelihood) for score in scores)
        tokens = sum(score.dimensions for score in scores)
        assert tokens >= 20_000
        perplexities[precision] = float(np.exp(-sum(score.log_likelihood_nats for score in scores) / tokens))
    print(f"perplexity over {tokens} tokens: {perplexities}")
    assert perplexities["int8"] / perplexities["fp32"] - 1 < 0.03
