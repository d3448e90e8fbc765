"""The Hugging Face hub, played by a server on 127.0.0.1."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest

from sextant.bundles.sources import HubSource, fetch
from sextant.contract.errors import SourceUnavailable

COMMIT = "0123456789" * 4
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": bytes(1000),
    "pytorch_model.bin": b"pickle",
    "run.py": b"evil",
    "sub/tokenizer.json": b"{}",
}
SOURCE = HubSource("org/name", COMMIT)


class Hub:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken: set[str] = set()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            body, headers = self.answer()
            self.send_response(200 if body is not None else 404)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_HEAD = do_GET  # noqa: N815

        def answer(self) -> tuple[bytes | None, dict[str, str]]:
            path = self.path.partition("?")[0]
            if path == f"/api/models/org/name/revision/{COMMIT}":
                siblings = [{"rfilename": name} for name in FILES]
                about = {"id": "org/name", "sha": COMMIT, "siblings": siblings, "private": False, "tags": []}
                return json.dumps(about).encode(), {"Content-Type": "application/json"}
            if path.startswith(f"/api/models/org/name/tree/{COMMIT}"):
                tree = [{"type": "file", "path": n, "size": len(d), "oid": "0" * 40} for n, d in FILES.items()]
                return json.dumps(tree).encode(), {"Content-Type": "application/json"}
            name = path.removeprefix(f"/org/name/resolve/{COMMIT}/")
            if name in FILES and name not in state.broken:
                return FILES[name], {"ETag": f'"{hashlib.sha1(FILES[name]).hexdigest()}"', "X-Repo-Commit": COMMIT}
            if name in state.broken:
                return None, {}
            return None, {"X-Error-Code": "RepoNotFound"}

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_weights_and_tokenizer_come_and_pickles_and_code_do_not(hub: Hub, tmp_path: Path) -> None:
    folder = fetch(SOURCE, None, tmp_path)
    assert names(folder) == {"config.json", "model.safetensors", "sub/tokenizer.json"}
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_the_second_fetch_asks_the_hub_nothing(hub: Hub, tmp_path: Path) -> None:
    first = fetch(SOURCE, None, tmp_path)
    asked = len(hub.asked)
    assert asked > 0
    assert fetch(SOURCE, None, tmp_path) == first
    assert len(hub.asked) == asked


def test_half_a_repository_is_never_taken_for_a_whole_one(hub: Hub, tmp_path: Path) -> None:
    hub.broken = {"model.safetensors"}
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match=r"org/name could not be downloaded"):
            fetch(SOURCE, None, tmp_path)
    hub.broken = set()
    assert "model.safetensors" in names(fetch(SOURCE, None, tmp_path))


def test_files_of_a_repository_can_be_pinned(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="not what was pinned"):
        fetch(SOURCE, {"model.safetensors": "0" * 64}, tmp_path)
    fetch(SOURCE, {"model.safetensors": hashlib.sha256(FILES["model.safetensors"]).hexdigest()}, tmp_path)


def test_a_repository_that_is_not_there_is_said(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="no repository org/other"):
        fetch(HubSource("org/other", COMMIT), None, tmp_path)
