"""Contact sheets of masks, and the portraits that they are drawn on."""

import numpy as np
import pandas as pd
import pytest
from test_landmarks import face
from test_masks import BOX, Finder, found, generate, photo, workroom

from lib import landmarks, masks


def test_portraits_are_cut_and_their_points_lie_on_the_cut() -> None:
    rgb, marks = photo(face()), []

    def locate(cut: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        marks.append((cut.shape, xyxy))
        return np.array([face(at=(150, 120), eyes=64)])

    (portrait,) = landmarks.portraits(
        [rgb, rgb[:20, :20]], find=lambda p: found(BOX) if p is rgb else found(), locate=locate, size=300
    )
    ((shape, xyxy),) = marks
    assert portrait.rgb.shape == shape == (300, 300, 3)
    w, h = BOX[2] - BOX[0], BOX[3] - BOX[1]
    assert np.allclose(xyxy[0, 2:] - xyxy[0, :2], [200 * w / h, 200]) and np.allclose(xyxy[0, :2] + xyxy[0, 2:], 300)
    assert portrait.reason == "" and portrait.points.shape == (68, 2)


def test_a_face_without_points_says_why() -> None:
    lost = lambda rgb, xyxy: np.full((1, 68, 2), np.nan)  # noqa: E731
    (portrait,) = landmarks.portraits([photo(face())], find=Finder(BOX), locate=lost)
    assert "do not settle" in portrait.reason


def test_a_wall_has_a_row_for_each_way_and_the_bare_face_first() -> None:
    points = face()
    rgb = photo(points)
    sheet = masks.wall((rgb, points), ["surgical-blue", "n95"], wears=["with_mask", "nose_out"], side=100)
    assert sheet.shape[1] == 3 * 104 + 4
    rows = sheet[:, 4:104], sheet[:, 108:208]
    assert np.abs(rows[0].astype(int) - rows[1]).max() > 50, "the second column wears something"


def test_the_catalogue_skips_a_face_without_room() -> None:
    points = face()
    rgb = photo(points)
    outside = points + (5000, 0)
    one = masks.catalogue([(rgb, points)], ["n95", "hand"], columns=2, side=64)
    two = masks.catalogue([(rgb, outside), (rgb, points)], ["n95", "hand"], columns=2, side=64)
    assert np.array_equal(one, two)
    nothing = masks.catalogue([(rgb, outside)], ["n95"], side=64)
    assert nothing[4:68, 4:68].min() == 255


def test_before_and_after_stand_side_by_side() -> None:
    points = face()
    rgb = photo(points)
    sheet = masks.dressed([(rgb, points)] * 3, columns=6, side=50)
    assert sheet.shape[1] == 6 * 54 + 4 and not np.array_equal(sheet[:, 4:54], sheet[:, 58:108])


def test_what_was_made_is_shown_and_nothing_is_an_empty_sheet(tmp_path) -> None:
    paths, work = workroom(tmp_path)
    table, _ = generate(paths, work, per_face=2)
    assert masks.made_sheet(table, columns=4, side=60).shape[1] == 4 * 64 + 4
    assert masks.made_sheet(table.iloc[:0]).ndim == 3
    assert isinstance(table, pd.DataFrame)


def test_unknown_names_are_refused() -> None:
    points = face()
    with pytest.raises(ValueError, match="unknown 'tin foil'"):
        masks.catalogue([(photo(points), points)], ["tin foil"])
