"""One ONNX Runtime session, set up the way every model here needs it.

Three things that the defaults get wrong for a server: asking for CUDA without its libraries silently runs on
the CPU; idle threads spin, and four sessions in a process then slow each other fourfold; and every session
would take all cores for itself.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from sextant.contract.errors import ProviderUnavailable

_PROVIDER_NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Where and how networks run.

    `providers` in order of preference, "cpu" or "cuda"; CUDA without "cpu" behind it must be had.
    `gpu_memory_limit_bytes` caps the CUDA arena of each session. `intra_op_threads` 0 takes all cores.
    """

    providers: tuple[str, ...] = ("cpu",)
    gpu_memory_limit_bytes: int | None = None
    intra_op_threads: int = 0


def open_session(path: Path, config: SessionConfig) -> ort.InferenceSession:
    """A session on the ONNX file at `path`, on the first of the configured providers that can be had.

    Raises `ProviderUnavailable` where a provider is unknown, or where none of those asked for was given and
    falling back to the CPU was not allowed.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = config.intra_op_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = ort.InferenceSession(str(path), options, providers=[_provider(name, config) for name in config.providers])
    got = session.get_providers()
    if "cpu" not in config.providers and not any(_PROVIDER_NAMES[name] in got for name in config.providers):
        wanted = ", ".join(config.providers)
        raise ProviderUnavailable(f"asked for {wanted} without CPU fallback, ONNX Runtime gave {', '.join(got)}")
    return session


def provider_names(config: SessionConfig) -> tuple[str, ...]:
    """ONNX Runtime's names of the configured providers that this build has, in order of preference."""
    known = ort.get_available_providers()
    return tuple(_PROVIDER_NAMES[name] for name in config.providers if _PROVIDER_NAMES[name] in known)


def _provider(name: str, config: SessionConfig) -> str | tuple[str, dict[str, Any]]:
    if name not in _PROVIDER_NAMES:
        raise ProviderUnavailable(f"unknown provider {name!r}; known: {', '.join(_PROVIDER_NAMES)}")
    if name == "cuda" and config.gpu_memory_limit_bytes is not None:
        return _PROVIDER_NAMES[name], {"gpu_mem_limit": str(config.gpu_memory_limit_bytes)}
    return _PROVIDER_NAMES[name]
