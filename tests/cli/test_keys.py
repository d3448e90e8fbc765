"""Keys from the command line to the gateway, and the ways to show one."""

import json

from sextant.cli.terminal import CONNECTION
from sextant.gateway.access.keys import now_utc, read_keys
from tests.cli.conftest import done, run, told


def test_a_key_is_printed_once_listed_without_its_secret_and_revoked(tmp_path):
    file = tmp_path / "keys.toml"
    limits = ("--rate", 2, "--burst", 5, "--requests-per-day", 100, "--steps-per-day", 5000, "--days", 30)
    token = done("keys", "create", "alice", "--file", file, "--scope", "score", *limits).stdout.strip()
    assert read_keys(file).authenticated(token, now_utc())[0] == "alice"
    (entry,) = json.loads(done("keys", "list", "--file", file, "--json").stdout)
    assert (entry["name"], entry["scopes"], entry["expired"]) == ("alice", ["score"], False)
    assert (entry["rate_per_s"], entry["burst"], entry["steps_per_day"]) == (2.0, 5, 5000)
    shown = done("keys", "list", "--file", file).stdout
    assert "alice" in shown
    assert token.rpartition(".")[2] not in shown
    done("keys", "revoke", "alice", "--file", file)
    assert read_keys(file).keys == {}


def test_a_scope_that_does_not_exist_and_a_bad_name_are_refused(tmp_path):
    file = tmp_path / "keys.toml"
    assert "keys.a.scopes.0: " in told(run("keys", "create", "a", "--file", file, "--scope", "everything"))
    assert run("keys", "create", "Not A Name", "--file", file).exit_code == 1
    assert not file.exists()


def test_the_key_is_taken_from_option_variable_or_file(tmp_path, monkeypatch):
    keys, file = tmp_path / "keys.toml", tmp_path / "key"
    file.write_text("sxt.a.file\n")
    listing = ("keys", "list", "--file", keys)
    done("keys", "create", "a", "--file", keys)
    assert CONNECTION.api_key is None
    done("--api-key", "sxt.a.option", "--api-key-file", file, *listing)
    assert CONNECTION.api_key == "sxt.a.option"
    done("--api-key-file", file, *listing)
    assert CONNECTION.api_key == "sxt.a.file"
    monkeypatch.setenv("SEXTANT_API_KEY", "sxt.a.variable")
    done(*listing)
    assert CONNECTION.api_key == "sxt.a.variable"
    monkeypatch.delenv("SEXTANT_API_KEY")
    file.write_text("\n")
    assert "holds no API key" in told(run("--api-key-file", file, *listing))
    done(*listing)
