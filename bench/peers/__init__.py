"""Other engines on the same weights, in an environment of their own."""

import json
import subprocess
import venv
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_BUILD = _HERE.parents[1] / "build" / "bench"
_PYTHON = _BUILD / "peers" / "bin" / "python"


def prepare(gguf: Path) -> dict[str, Path]:
    """Make the environment and convert the weights, once. The model directories by peer and precision."""
    if not _PYTHON.exists():
        venv.create(_PYTHON.parents[1], with_pip=True)
        _run("-m", "pip", "install", "--quiet", "-r", str(_HERE / "requirements.txt"))
    hugging_face = _BUILD / "huggingface"
    if not hugging_face.exists():
        _run(str(_HERE / "convert.py"), str(gguf), str(hugging_face))
    directories = {"transformers fp32": hugging_face}
    for precision in ("fp32", "int8"):
        directory = _BUILD / f"genai-{precision}"
        if not directory.exists():
            build = ["-m", "onnxruntime_genai.models.builder", "-i", str(hugging_face), "-o", str(directory)]
            options = ["accuracy_level=4", "block_size=32"] if precision == "int8" else []
            _run(*build, "-p", precision, "-e", "cpu", *(["--extra_options", *options] if options else []))
        directories[f"onnxruntime-genai {precision}"] = directory
    return directories


def tokens_per_second(
    peer: str, directory: Path, prompt: list[int], new_tokens: int, threads: int, widths: list[int]
) -> dict[int, list[float]]:
    """Generated tokens per second of a peer by width: two runs each, after one to warm up."""
    script = "transformers_generate.py" if peer.startswith("transformers") else "genai_generate.py"
    arguments = [str(directory), json.dumps(prompt), str(new_tokens), str(threads), json.dumps(widths)]
    told: dict[str, Any] = json.loads(_run(str(_HERE / script), *arguments).splitlines()[-1])
    return {int(width): runs[1:] for width, runs in told.items()}


def _run(*arguments: str) -> str:
    done = subprocess.run([str(_PYTHON), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(arguments)}:\n{done.stderr[-2000:]}")
    return done.stdout
