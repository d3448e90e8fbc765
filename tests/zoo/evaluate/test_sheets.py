"""Contact sheets show every picture whole, in its place."""

import numpy as np
import pytest

from sextant.zoo.evaluate.sheets import grid, pairs, traversal, wrapped

_PICTURES = np.random.default_rng(0).integers(1, 255, size=(5, 4, 6, 3), dtype=np.uint8)


def test_every_picture_stands_in_its_place_pixel_for_pixel() -> None:
    sheet = np.asarray(grid(_PICTURES, 2, scale=3, gap_px=2))
    assert sheet.shape == (2 + 3 * (12 + 2), 2 + 2 * (18 + 2), 3)
    for place, picture in enumerate(_PICTURES):
        top, left = 2 + place // 2 * 14, 2 + place % 2 * 20
        np.testing.assert_array_equal(sheet[top : top + 12 : 3, left : left + 18 : 3], picture)
        np.testing.assert_array_equal(sheet[top + 2 : top + 12 : 3, left + 2 : left + 18 : 3], picture)
    assert (sheet[-14:, -20:] == 255).all()  # the sixth place is empty


def test_grey_pictures_are_shown_grey() -> None:
    sheet = np.asarray(grid(_PICTURES[..., :1], 5))
    np.testing.assert_array_equal(sheet[2:6, 2:8], np.repeat(_PICTURES[0, :, :, :1], 3, axis=2))


def test_labels_make_room_for_themselves_and_leave_the_pictures_alone() -> None:
    plain = np.asarray(grid(_PICTURES, 5, gap_px=2))
    sheet = np.asarray(grid(_PICTURES, 5, gap_px=2, row_labels=["a row of faces"], column_labels=list("abcde")))
    np.testing.assert_array_equal(sheet[-6:, -40:], plain[-6:, -40:])
    assert sheet.shape[1] > plain.shape[1] + 60
    assert (sheet[:, : sheet.shape[1] - 40] < 128).any()  # the label is written


def test_a_traversal_has_a_row_for_each_coordinate() -> None:
    frames = np.stack([_PICTURES, _PICTURES[::-1]])
    sheet = np.asarray(traversal(frames))
    np.testing.assert_array_equal(sheet[2:6, 2:8], _PICTURES[0])
    np.testing.assert_array_equal(sheet[8:12, 2:8], _PICTURES[4])


def test_pairs_stand_beside_each_other() -> None:
    sheet = np.asarray(pairs(_PICTURES[:2], _PICTURES[2:4], _PICTURES[3:5], labels=()))
    np.testing.assert_array_equal(sheet[2:6, 2:8], _PICTURES[0])
    np.testing.assert_array_equal(sheet[2:6, 10:16], _PICTURES[2])
    np.testing.assert_array_equal(sheet[2:6, 18:24], _PICTURES[3])
    np.testing.assert_array_equal(sheet[8:12, 18:24], _PICTURES[4])


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rows"):
        grid(_PICTURES, 2, row_labels=["only one"])
    with pytest.raises(ValueError, match="uint8"):
        grid(_PICTURES.astype(float), 2)


def test_a_long_caption_takes_several_lines_and_less_room():
    faces = np.zeros((2, 64, 64, 3), np.uint8)
    long = "a portrait of somebody, cheerful, with long bright red hair, a beard and dark glasses in yellow clothes"
    on_one_line, on_several = (grid(faces, 1, row_labels=labels) for labels in ([long] * 2, wrapped([long] * 2)))
    assert on_several.width < on_one_line.width / 2
    assert on_several.height == on_one_line.height
