"""Files on the command line: what is read is what was written, and anything else is refused by its name."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from sextant.cli.contact_sheet import write_pairs, write_sheet
from sextant.cli.latent_files import read_latent, write_latent
from sextant.cli.media_files import items_of, name_files, read_picture, write_picture
from sextant.cli.result_paths import check_distinct
from sextant.cli.table_files import read_rows, write_table
from sextant.contract import media

FLOATS = st.floats(width=32, allow_nan=False)


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2), elements=FLOATS))
def test_a_table_is_read_as_it_was_written_to_the_last_bit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("table") / "rows.csv"
    table = media.Table(tuple(f"a {n}, b" for n in range(values.shape[1])), values)
    write_table(path, table)
    found = read_rows(path)
    assert found.table.columns == table.columns
    assert np.array_equal(found.table.values.astype(np.float32), values)
    assert found.lines == tuple(range(2, 2 + len(values)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "needs a line of column names"),
        (b"x,y\n", "needs a line of column names"),
        (b"x,y\n1,2\n\n3,abc\n", "'abc' on line 4"),
        (b"x,y\n1,\n", "'' on line 2"),
        (b"x,y\n1,2\n3\n", "line 3 has 1 cells, not 2"),
        (b"x,y\n\xff,2\n", "no table of numbers"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_by_its_line(tmp_path, content, said):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(typer.BadParameter, match=said):
        read_rows(path)


def test_a_table_may_begin_as_spreadsheets_do(tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"\xef\xbb\xbfx,y\r\n1,2\r\n")
    assert read_rows(tmp_path / "rows.csv").table.columns == ("x", "y")


@pytest.mark.parametrize("variance", [None, np.full((2, 3), 0.25, np.float32)])
def test_a_latent_is_read_as_it_was_written(tmp_path, variance):
    latent = media.Latent("a/z", np.arange(6, dtype=np.float32).reshape(2, 3), variance)
    write_latent(tmp_path / "new" / "a.npz", latent)
    found = read_latent(tmp_path / "new" / "a.npz")
    assert found.space == "a/z"
    assert np.array_equal(found.mean, latent.mean)
    assert found.mean.dtype == np.float32
    assert (found.variance is None) == (variance is None)
    assert variance is None or np.array_equal(found.variance, variance)


def write_false_latents(directory: Path) -> list[Path]:
    for name, content in {"empty": b"", "text": b"latent", "cut": b"PK\x03\x04cut"}.items():
        (directory / f"{name}.npz").write_bytes(content)
    with (directory / "single.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    np.savez(directory / "nameless.npz", mean=np.zeros(3))
    np.savez(directory / "words.npz", space=np.array("a/z"), mean=np.array(["b"]))
    np.savez(directory / "objects.npz", space=np.array("a/z"), mean=np.array([None]))
    with zipfile.ZipFile(directory / "foreign.npz", "w") as archive:
        archive.writestr("mean", "1 2 3")
    return sorted(directory.iterdir())


def test_a_file_that_is_no_latent_is_refused_and_says_what_one_is(tmp_path):
    paths = write_false_latents(tmp_path)
    assert len(paths) == 8
    for path in paths:
        with pytest.raises(typer.BadParameter, match="is no latent, which is an"):
            read_latent(path)


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_picture_is_read_as_it_was_written(tmp_path, suffix):
    colours = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    write_picture(tmp_path / f"a.{suffix}", media.Image(colours))
    assert (read_picture(tmp_path / f"a.{suffix}").pixels == colours).all()


def test_a_photograph_taken_sideways_is_read_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to see it
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert read_picture(tmp_path / "a.jpg").pixels.shape == (40, 20, 3)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n cut"])
def test_a_file_that_is_no_picture_is_refused_by_its_name(tmp_path, content):
    (tmp_path / "false.png").write_bytes(content)
    with pytest.raises(typer.BadParameter, match=r"false\.png is"):
        read_picture(tmp_path / "false.png")


def test_rows_of_a_table_are_items_beside_whole_pictures(tmp_path):
    write_picture(tmp_path / "a.png", media.Image(np.zeros((2, 3, 1), np.uint8)))
    (tmp_path / "b.csv").write_text("x,y\n1,2\n\n3,4\n")
    names, items = items_of([tmp_path / "a.png", tmp_path / "b.csv"])
    assert names == ["a.png", "b.csv:2", "b.csv:4"]
    assert [getattr(item, "values", np.empty(0)).tolist() for item in items] == [[], [[1, 2]], [[3, 4]]]


def test_texts_are_texts_however_long_or_odd():
    assert not name_files(["A cat sleeps.", "e.g. this, or ... that", "x" * 10_000, "", "nul\0"])


def test_results_that_would_be_one_file_are_refused():
    check_distinct([Path("a/x.png"), Path("a/y.png")])
    with pytest.raises(typer.BadParameter, match="called x"):
        check_distinct([Path("a/x.png"), Path("b/x.jpg")])


def grey(value: int, height: int, width: int) -> media.Image:
    return media.Image(np.full((height, width, 1), value, np.uint8))


@given(st.integers(1, 20), st.integers(1, 80), st.integers(1, 80))
def test_a_sheet_holds_every_picture_in_its_place_on_about_as_many_rows_as_columns(
    tmp_path_factory, count, height, width
):
    path = tmp_path_factory.mktemp("sheet") / "sheet.png"
    write_sheet(path, [grey(10 * (n + 1), height, width) for n in range(count)])
    sheet = np.asarray(Image.open(path))
    across = next(n for n in range(1, 6) if n * n >= count)
    scale = 84 // max(height, width) if max(height, width) < 64 else 1
    high, wide = height * scale + 4, width * scale + 4
    assert sheet.shape == (-(-count // across) * high + 4, across * wide + 4, 3)
    expected = np.full(sheet.shape, 255)
    for n in range(count):
        row, column = divmod(n, across)
        expected[row * high + 4 : (row + 1) * high, column * wide + 4 : (column + 1) * wide] = 10 * (n + 1)
    assert (sheet == expected).all()


def test_what_is_seen_through_is_white_on_a_sheet(tmp_path):
    write_sheet(tmp_path / "sheet.png", [media.Image(np.zeros((64, 64, 4), np.uint8))])
    assert (np.asarray(Image.open(tmp_path / "sheet.png")) == 255).all()


def test_each_result_is_under_its_source_also_where_the_row_is_full(tmp_path):
    sources, results = ([grey(base + n, 64, 64) for n in range(10)] for base in (100, 200))
    write_pairs(tmp_path / "pairs.png", sources, results)
    sheet = np.asarray(Image.open(tmp_path / "pairs.png"))[..., 0]
    middles = sheet[36::68, 36::68]
    assert middles.tolist() == [
        [*range(100, 108)],
        [*range(200, 208)],
        [108, 109, *[255] * 6],
        [208, 209, *[255] * 6],
    ]
