"""Writing bundles: all or nothing, and never past the publish gate."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sextant.bundles.manifest import Parity
from sextant.bundles.store import BundleStore
from sextant.bundles.writer import ImportOptions, write_bundle
from sextant.contract.errors import BundleRefused
from tests.bundles.tiny import external_weights, fields, network

NETWORK = network().SerializeToString()
OVER = Parity(max_abs_error=0, max_rel_error=2e-4, tolerance=1e-4, reference="NumPy")


def visible(directory: Path) -> list[str]:
    return [entry.name for entry in directory.glob("*") if not entry.name.startswith(".")]


def test_what_was_written_is_what_a_store_opens(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    files = {"net.onnx": NETWORK, "tokenizer/tokenizer.json": tmp_path / "tokenizer.json"}
    written = write_bundle(tmp_path / "bundles", files, **fields(network={"layers": 2, "eps": 1e-5}))
    opened = BundleStore([tmp_path / "bundles"]).open("tiny")
    assert opened == written
    assert opened.manifest.network == {"layers": 2, "eps": 1e-5}
    assert opened.file("tokenizer/tokenizer.json").read_text() == "{}"


values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(content=st.dictionaries(st.text(max_size=8), values, max_size=4), description=st.text())
def test_any_network_description_survives_the_file_and_keeps_its_digest(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], description: str
) -> None:
    directory = tmp_path_factory.mktemp("bundles")
    written = write_bundle(directory, {"net.onnx": NETWORK}, **fields(network=content, description=description))
    assert written.manifest.network == content
    assert BundleStore([directory]).open("tiny") == written


@pytest.mark.parametrize(
    ("files", "changes", "reason"),
    [
        ({"net.onnx": NETWORK}, {"parity": None}, "no parity"),
        ({"net.onnx": NETWORK}, {"parity": OVER}, "is over"),
        ({"net.onnx": NETWORK[:-8]}, {}, r"truncated|whole"),
        ({"net.onnx": NETWORK, "w.bin": b""}, {}, "pickle"),
        ({"../net.onnx": NETWORK}, {}, "leaves the bundle"),
        ({"net.onnx": NETWORK}, {"name": "../tiny"}, "name"),
        ({"net.onnx": NETWORK}, {"network": {"layers": None}}, "cannot hold"),
        ({"net.onnx": NETWORK}, {"network": {"layers": np.float32(1)}}, "cannot hold"),
        ({"net.onnx": network(external_weights("../x.data")).SerializeToString()}, {}, "outside the bundle"),
        ({}, {}, "files"),
    ],
)
def test_what_a_store_would_refuse_is_not_written_and_leaves_the_old_bundle_alone(
    tmp_path: Path, files: dict[str, bytes], changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BundleRefused, match=reason):
        write_bundle(tmp_path, files, **fields(**changes))
    assert visible(tmp_path) == []
    old = write_bundle(tmp_path, {"net.onnx": NETWORK}, **fields())
    with pytest.raises(BundleRefused, match=reason):
        write_bundle(tmp_path, files, **fields(**changes))
    assert BundleStore([tmp_path]).open("tiny") == old
    assert visible(tmp_path) == ["tiny"]


def test_a_bundle_of_the_same_name_is_replaced_as_a_whole(tmp_path: Path) -> None:
    write_bundle(tmp_path, {"net.onnx": NETWORK, "old.json": b"{}"}, **fields())
    new = write_bundle(tmp_path, {"net.onnx": NETWORK}, **fields(version="1.0.1"))
    assert BundleStore([tmp_path]).open("tiny") == new
    assert sorted(path.name for path in new.path.iterdir()) == ["model.toml", "net.onnx"]


def test_what_a_killed_writer_left_behind_is_swept_by_the_next(tmp_path: Path) -> None:
    for left in (".tiny.new", ".tiny.old"):
        (tmp_path / left / "tiny").mkdir(parents=True)
        (tmp_path / left / "tiny" / "half").write_bytes(b"x")
    write_bundle(tmp_path, {"net.onnx": NETWORK}, **fields())
    write_bundle(tmp_path, {"net.onnx": NETWORK}, **fields())
    assert {entry.name for entry in tmp_path.iterdir() if entry.is_dir()} == {"tiny"}


def test_writers_of_one_name_at_once_leave_one_whole_bundle(tmp_path: Path) -> None:
    def write(number: int) -> str:
        return write_bundle(tmp_path, {"net.onnx": NETWORK}, **fields(version=f"1.0.{number}")).digest

    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(write, range(16)))
    assert len(set(digests)) == 16
    assert BundleStore([tmp_path]).open("tiny").digest in digests


@pytest.mark.parametrize("wrong", [{"name": "../x"}, {"version": "new"}, {"precision": "fp8"}, {"context_tokens": 0}])
def test_import_options_that_no_manifest_could_hold_are_refused_before_any_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ImportOptions(**{"name": "tiny", **wrong})
