"""What a store finds, and every reason to refuse a bundle."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from onnx import ModelProto, TensorProto, helper

from sextant.bundles.store import BundleStore, digest_of, open_bundle
from sextant.bundles.writer import write_bundle
from sextant.contract.errors import BundleRefused, ModelNotFound
from tests.bundles.tiny import by_hand, external_weights, fields, network

NETWORK = network().SerializeToString()


def entry(data: bytes, **changes: Any) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), **changes}


def test_a_whole_bundle_opens_with_its_files_and_size(tmp_path: Path) -> None:
    by_hand(tmp_path, {"net.onnx": NETWORK, "tokenizer/tokenizer.json": b"{}"})
    bundle = BundleStore([tmp_path]).open("tiny")
    assert bundle.file("net.onnx").read_bytes() == NETWORK
    assert bundle.file("tokenizer/tokenizer.json").read_bytes() == b"{}"
    assert bundle.size_bytes == len(NETWORK) + 2


def test_files_that_the_manifest_does_not_list_are_ignored_and_cannot_be_read(tmp_path: Path) -> None:
    bundle = by_hand(tmp_path, {"net.onnx": NETWORK})
    (bundle / "evil.pkl").write_bytes(b"...")
    (bundle / "notes.txt").write_text("hello")
    opened = open_bundle(bundle)
    for name in ("evil.pkl", "notes.txt", "model.toml", "../tiny/net.onnx"):
        with pytest.raises(BundleRefused, match="lists no file"):
            opened.file(name)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"net.onnx": entry(NETWORK, sha256="0" * 64)}, "has sha256"),
        ({"net.onnx": entry(NETWORK, bytes=1)}, f"has {len(NETWORK)} bytes"),
        ({"net.onnx": entry(NETWORK, sha256="junk")}, r"files\.net\.onnx\.sha256"),
        ({"net.onnx": entry(NETWORK), "gone.json": entry(b"")}, "gone.json is missing"),
        ({"../net.onnx": entry(NETWORK)}, "leaves the bundle"),
        ({"a/../../net.onnx": entry(NETWORK)}, "leaves the bundle"),
        ({"/etc/hostname": entry(NETWORK)}, "leaves the bundle"),
        ({"..\\net.onnx": entry(NETWORK)}, "leaves the bundle"),
        ({"./net.onnx": entry(NETWORK)}, "plain relative path"),
        ({"model.toml": entry(NETWORK)}, "plain relative path"),
        ({"net\0.onnx": entry(NETWORK)}, "plain relative path"),
        ({}, "files"),
    ],
)
def test_a_bundle_whose_files_are_not_what_and_where_it_says_is_refused(
    tmp_path: Path, files: dict[str, Any], reason: str
) -> None:
    bundle = by_hand(tmp_path, {"net.onnx": NETWORK}, files=files)
    with pytest.raises(BundleRefused, match=reason):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["weights.pkl", "model.pt", "model.PTH", "pytorch_model.bin", "a/x.pickle", "w.npz"])
def test_a_bundle_that_lists_a_possible_pickle_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleRefused, match="pickle"):
        open_bundle(by_hand(tmp_path, {"net.onnx": NETWORK, name: b"data"}))


@pytest.mark.parametrize("name", ["run.py", "libop.so", "noextension"])
def test_a_bundle_that_lists_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleRefused, match="no kind that a bundle may hold"):
        open_bundle(by_hand(tmp_path, {"net.onnx": NETWORK, name: b"data"}))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"parity": None}, "no parity"),
        ({"parity": {"max_abs_error": 9.0, "max_rel_error": 2e-4, "tolerance": 1e-4, "reference": "r"}}, "is over"),
        ({"parity": {"max_abs_error": 0, "max_rel_error": float("nan"), "tolerance": 1, "reference": "r"}}, "parity"),
        ({"parity": {"max_abs_error": 0, "max_rel_error": 1, "tolerance": float("inf"), "reference": "r"}}, "parity"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"schema_version": 2}, "schema_version"),
        ({"tasks": ["divine"]}, r"tasks\.0"),
        ({"version": "latest"}, "version"),
        ({"license": None}, "license: Field required"),
        ({"name": "other"}, "is that of 'other'"),
    ],
)
def test_a_manifest_that_is_not_fit_to_serve_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    bundle = by_hand(tmp_path, {"net.onnx": NETWORK}, **changes)
    with pytest.raises(BundleRefused, match=reason):
        open_bundle(bundle)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"a = " + b"[" * 5000, b"#" * (5 << 20)])
def test_a_manifest_that_is_not_toml_or_enormous_is_refused(tmp_path: Path, content: bytes) -> None:
    bundle = by_hand(tmp_path, {"net.onnx": NETWORK})
    (bundle / "model.toml").write_bytes(content)
    with pytest.raises(BundleRefused, match=r"model\.toml is"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["net.onnx", "model.toml"])
def test_a_link_that_leads_out_of_the_bundle_is_refused(tmp_path: Path, name: str) -> None:
    bundle = by_hand(tmp_path / "bundles", {"net.onnx": NETWORK})
    outside = tmp_path / "outside"
    (bundle / name).rename(outside)
    (bundle / name).symlink_to(outside)
    with pytest.raises(BundleRefused, match="leads out of the bundle"):
        open_bundle(bundle)


def test_a_linked_folder_that_leads_out_of_the_bundle_is_refused(tmp_path: Path) -> None:
    bundle = by_hand(tmp_path / "bundles", {"sub/net.onnx": NETWORK})
    (bundle / "sub").rename(tmp_path / "outside")
    (bundle / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(BundleRefused, match="leads out of the bundle"):
        open_bundle(bundle)


def test_a_link_that_was_put_there_after_opening_is_refused_as_well(tmp_path: Path) -> None:
    opened = open_bundle(by_hand(tmp_path / "bundles", {"net.onnx": NETWORK}))
    (opened.path / "net.onnx").unlink()
    (opened.path / "net.onnx").symlink_to("/etc/hostname")
    with pytest.raises(BundleRefused, match="leads out"):
        opened.file("net.onnx")


def test_links_inside_the_bundle_and_to_the_bundle_are_fine(tmp_path: Path) -> None:
    bundle = by_hand(tmp_path / "elsewhere", {"net.onnx": NETWORK})
    (bundle / "net.onnx").rename(bundle / "blob")
    (bundle / "net.onnx").symlink_to("blob")
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "tiny").symlink_to(bundle)
    assert BundleStore([tmp_path / "bundles"]).open("tiny").file("net.onnx").read_bytes() == NETWORK


def test_a_linked_onnx_file_cannot_lead_the_runtime_to_data_that_were_not_checked(tmp_path: Path) -> None:
    model = network(external_weights("net.data")).SerializeToString()
    bundle = by_hand(tmp_path, {"net.onnx": model, "net.data": bytes(8)})
    open_bundle(bundle)
    (bundle / "sub").mkdir()
    (bundle / "net.onnx").rename(bundle / "sub" / "net.onnx")
    (bundle / "sub" / "net.data").write_bytes(b"unchecks")
    (bundle / "net.onnx").symlink_to("sub/net.onnx")
    with pytest.raises(BundleRefused, match="must not be behind a link"):
        open_bundle(bundle)


def test_a_pipe_in_place_of_a_file_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    bundle = by_hand(tmp_path, {"net.onnx": NETWORK})
    (bundle / "net.onnx").unlink()
    os.mkfifo(bundle / "net.onnx")
    with pytest.raises(BundleRefused, match="not a regular file"):
        open_bundle(bundle)


def test_an_onnx_file_cut_anywhere_is_refused_even_if_its_sha256_is_right(tmp_path: Path) -> None:
    for length in range(len(NETWORK)):
        bundle = by_hand(tmp_path, {"net.onnx": NETWORK[:length]})
        with pytest.raises(BundleRefused, match=r"truncated|not a whole ONNX model"):
            open_bundle(bundle)


def hidden_in_a_subgraph(weights: TensorProto) -> ModelProto:
    branch = helper.make_graph(
        [helper.make_node("Constant", [], ["b"], value=weights)],
        "branch",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])],
    )
    model = network()
    model.graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch))
    return model


@pytest.mark.parametrize("build", [network, hidden_in_a_subgraph])
@pytest.mark.parametrize(
    ("location", "entries", "reason"),
    [
        ("../outside.data", {}, "outside the bundle"),
        ("sub/../../outside.data", {}, "outside the bundle"),
        ("/etc/hostname", {}, "outside the bundle"),
        ("..\\outside.data", {}, "outside the bundle"),
        ("", {}, "outside the bundle"),
        ("unlisted.data", {}, "does not list"),
        ("net.onnx.data", {"length": "9"}, "beyond the end"),
        ("net.onnx.data", {"offset": "4"}, "beyond the end"),
        ("net.onnx.data", {"offset": "-1"}, "beyond the end"),
        ("net.onnx.data", {"offset": "x"}, "proper place"),
    ],
)
def test_onnx_data_from_outside_the_bundle_or_beyond_their_file_are_refused(
    tmp_path: Path, build: Any, location: str, entries: dict[str, str], reason: str
) -> None:
    model = build(external_weights(location, **entries))
    bundle = by_hand(tmp_path, {"net.onnx": model.SerializeToString(), "net.onnx.data": bytes(8)})
    (bundle / "unlisted.data").write_bytes(bytes(8))
    with pytest.raises(BundleRefused, match=reason):
        open_bundle(bundle)


def test_onnx_data_in_a_listed_file_are_fine_but_such_a_file_that_nothing_refers_to_is_not(tmp_path: Path) -> None:
    model = network(external_weights("net.onnx.data")).SerializeToString()
    bundle = by_hand(tmp_path, {"sub/net.onnx": model, "sub/net.onnx.data": bytes(8)})
    assert open_bundle(bundle).size_bytes == len(model) + 8
    with pytest.raises(BundleRefused, match=r"refers to other\.data"):
        open_bundle(by_hand(tmp_path, {"sub/net.onnx": model, "sub/net.onnx.data": bytes(8), "other.data": b"x"}))


def test_earlier_directories_win_even_with_a_damaged_bundle(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_bundle(second, {"net.onnx": NETWORK}, **fields())
    by_hand(first, {"net.onnx": NETWORK}, files={"net.onnx": entry(NETWORK, sha256="0" * 64)})
    assert BundleStore([second, first]).open("tiny").path == second / "tiny"
    with pytest.raises(BundleRefused):
        BundleStore([first, second]).open("tiny")


def test_the_default_store_looks_in_the_extra_path_then_the_cache_then_what_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEXTANT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SEXTANT_BUNDLE_PATH", os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")]))
    directories = BundleStore.default().directories
    assert directories[:3] == (tmp_path / "a", tmp_path / "b", tmp_path / "cache" / "bundles")
    assert directories[3].name == "shipped"


@pytest.mark.parametrize("name", ["nothing", "../tiny", "/etc", "", ".tiny.new", "a/b"])
def test_a_name_that_is_no_bundles_is_not_found_and_never_looked_up_as_a_path(tmp_path: Path, name: str) -> None:
    by_hand(tmp_path, {"net.onnx": NETWORK})
    (tmp_path / "sub").mkdir()
    with pytest.raises(ModelNotFound, match=r"no model named .* served: tiny"):
        BundleStore([tmp_path]).find(name)
    with pytest.raises(ModelNotFound):
        BundleStore([tmp_path / "sub"]).find(name)


def test_names_lists_each_bundle_once_and_no_half_written_ones(tmp_path: Path) -> None:
    by_hand(tmp_path / "a", {"net.onnx": NETWORK})
    by_hand(tmp_path / "b", {"net.onnx": NETWORK})
    (tmp_path / "a" / ".tiny.new" / "tiny").mkdir(parents=True)
    (tmp_path / "a" / ".tiny.new" / "model.toml").write_text("")
    (tmp_path / "a" / "empty").mkdir()
    assert BundleStore([tmp_path / "a", tmp_path / "b", tmp_path / "missing"]).names() == ("tiny",)


def test_the_digest_follows_content_and_not_layout(tmp_path: Path) -> None:
    bundle = by_hand(tmp_path, {"net.onnx": NETWORK})
    digest = open_bundle(bundle).digest
    text = (bundle / "model.toml").read_text()
    (bundle / "model.toml").write_text("# a comment\ncontext_tokens = 0\n" + text)
    assert open_bundle(bundle).digest == digest
    others = [
        by_hand(tmp_path / "2", {"net.onnx": NETWORK}, description="Adds two"),
        by_hand(
            tmp_path / "3", {"net.onnx": network(external_weights("d.data")).SerializeToString(), "d.data": b"8" * 8}
        ),
        by_hand(tmp_path / "4", {"renamed.onnx": NETWORK}),
    ]
    digests = {open_bundle(other).digest for other in others}
    assert len(digests | {digest}) == 4
    assert digest_of(open_bundle(bundle).manifest) == digest
