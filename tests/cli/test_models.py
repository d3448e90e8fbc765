"""`sextant models`, as someone types it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sextant.bundles.writer import write_bundle
from sextant.cli.models import app
from tests.bundles.tiny import fields, network


@pytest.fixture(autouse=True)
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one whole bundle, "tiny", in the cache."""
    monkeypatch.setenv("SEXTANT_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("SEXTANT_BUNDLE_PATH", raising=False)
    write_bundle(tmp_path / "bundles", {"net.onnx": network().SerializeToString()}, **fields())
    return tmp_path / "bundles"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})


def assert_plain_error(result: Result, text: str) -> None:
    assert result.exit_code == 1
    assert text in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


def test_list_shows_what_is_on_disk_and_what_can_be_pulled() -> None:
    shown = run("list").stdout
    assert "tiny" in shown
    assert "smollm2-135m-instruct" in shown
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert (rows["tiny"]["where"], rows["tiny"]["tasks"]) == ("cache", ["encode"])
    assert rows["minilm-l6-v2"]["where"] == "to be pulled"


def test_list_shows_a_bundle_with_a_broken_manifest_and_why(bundles: Path) -> None:
    (bundles / "tiny" / "model.toml").write_text("name =")
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert "is not TOML" in rows["tiny"]["refused"]
    assert run("list").exit_code == 0


def test_show_prints_the_manifest_or_the_catalogue_entry() -> None:
    assert json.loads(run("show", "tiny", "--json").stdout)["parity"]["reference"] == "NumPy"
    assert "Adds one" in run("show", "tiny").stdout
    assert json.loads(run("show", "minilm-l6-v2", "--json").stdout)["where"] == "to be pulled"
    assert_plain_error(run("show", "nothing"), "no model named 'nothing'")


def test_brackets_in_a_description_are_shown_as_they_are(bundles: Path) -> None:
    write_bundle(bundles, {"net.onnx": network().SerializeToString()}, **fields(description="[/b] and [red]"))
    for arguments in (["list"], ["show", "tiny"]):
        assert "[/b] and [red]" in run(*arguments).stdout


def test_verify_says_good_and_the_digest(bundles: Path) -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert "\ntiny: good, sha256 " in f"\n{result.stdout}"
    assert all(": good, sha256 " in line for line in result.stdout.splitlines())  # those that ship too


def test_verify_exits_with_1_and_the_reason_if_any_bundle_is_refused(bundles: Path) -> None:
    write_bundle(bundles, {"net.onnx": network().SerializeToString()}, **fields(name="whole"))
    (bundles / "tiny" / "net.onnx").write_bytes(b"x")
    result = run("verify")
    assert_plain_error(result, "bundle tiny refused: net.onnx has 1 bytes")
    assert "whole: good" in result.stdout
    results = json.loads(run("verify", "--json", "tiny", "whole").stdout)
    assert [one["ok"] for one in results] == [False, True]
    assert_plain_error(run("verify", "nothing"), "no model named")


def test_pull_of_an_unknown_model_and_import_of_nothing_are_one_plain_line(tmp_path: Path) -> None:
    assert_plain_error(run("pull", "gpt-9"), "the catalogue has no model 'gpt-9'")
    assert_plain_error(run("import", str(tmp_path / "gone"), "--name", "x"), "neither a GGUF file nor a directory")
    assert_plain_error(run("import", str(tmp_path), "--name", "../x"), "name: String should match")


def test_pull_without_a_name_says_how() -> None:
    result = run("pull")
    assert result.exit_code == 2
    assert "--all" in result.output
