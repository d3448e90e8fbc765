"""`sextant --receipts FILE COMMAND`, then `sextant replay FILE`."""

import json

from tests.cli.conftest import done, run


def test_what_a_command_made_is_made_again_by_replay(vae, tmp_path):
    file, made = tmp_path / "receipts.jsonl", tmp_path / "made"
    done("--receipts", file, "generate", "image", "--count", 3, "--out", made, "--target", vae)
    said = done("replay", file, "--target", vae).stdout
    assert said.startswith(f"{file}: generate by fashion-vae, request ")
    assert said.rstrip().endswith(": same")
    picture = next(iter(sorted(made.iterdir())))
    for command in (("encode", picture, "--out", tmp_path / "z.npz"), ("score", picture, "--seed", 1)):
        done("--receipts", file, *command, "--target", vae)
        (told,) = [json.loads(line) for line in done("replay", file, "--json", "--target", vae).stdout.splitlines()]
        assert (told["kind"], told["same"], told["changes"]) == (command[0], True, [])


def test_replay_says_what_differs_and_why_and_fails(vae, tmp_path):
    file = tmp_path / "receipts.jsonl"
    done("--receipts", file, "generate", "image", "--count", 2, "--out", tmp_path / "made", "--target", vae)
    answer = json.loads(file.read_text())
    answer["receipt"]["items"][0]["sha256"] = answer["receipt"]["items"][1]["sha256"]
    file.write_text(json.dumps(answer))
    unexplained = run("replay", file, "--target", vae)
    assert unexplained.exit_code == 1
    assert "differs in 1 of 2 items\n  nothing that receipts tell of has changed" in unexplained.output
    answer["receipt"]["processor"] = "abacus"
    file.write_text(json.dumps(answer))
    explained = run("replay", file, "--target", vae)
    assert "  processor was abacus, is " in explained.output
    assert "nothing" not in explained.output


def test_a_command_that_makes_several_requests_keeps_them_all_and_one_failure_does_not_hide_the_rest(vae, tmp_path):
    file, made = tmp_path / "receipts.jsonl", tmp_path / "made"
    done("generate", "image", "--count", 2, "--out", made, "--target", vae)
    pictures = sorted(made.iterdir())
    done("--receipts", file, "score", *pictures, "--seed", 1, "--target", vae)
    one = json.loads(file.read_text().splitlines()[0])
    gone = {**one, "receipt": {**one["receipt"], "model": "gone"}}
    file.write_text(f"{json.dumps(gone)}\n{json.dumps(one)}\n")
    ended = run("replay", file, "--json", "--target", vae)
    first, second = (json.loads(line) for line in ended.stdout.splitlines())
    assert ended.exit_code == 1
    assert (first["same"], first["reason"], second["same"]) == (False, "MODEL_NOT_FOUND", True)
