"""Privacy copies: every face found is unrecognisable, nothing but pixels is left, the photos stay as they are."""

import csv
from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib import __main__ as main
from lib import blur, boxes, images, video


def noise(h: int = 60, w: int = 80, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (h, w, 3), np.uint8)


def fixed(*rows: tuple[float, ...]):  # type: ignore[no-untyped-def]
    return lambda rgb: np.array(rows, float).reshape(-1, 4)


def _exif(path: Path) -> dict:
    with Image.open(path) as image:
        return dict(image.getexif())


def test_no_photos_and_no_faces(tmp_path: Path) -> None:
    table, skipped = blur.copies([], into=tmp_path / "out", find=fixed())
    assert table.empty and not skipped and not (tmp_path / "out").exists()
    assert (blur.blurred(noise(), np.zeros((0, 4))) == noise()).all()


@given(st.tuples(*[st.floats(-20, 90)] * 4), st.floats(0, 0.5))
def test_only_the_widened_box_changes_and_little_is_left_of_it(corners: tuple[float, ...], margin: float) -> None:
    x1, x2 = sorted(corners[:2])
    y1, y2 = sorted(corners[2:])
    rgb, box = noise(), np.array([[x1, y1, x2, y2]])
    hidden = blur.blurred(rgb, box, margin=margin)
    wide = boxes.widen(box, margin, size=(80, 60))[0]
    outside = np.ones((60, 80), bool)
    outside[int(np.floor(wide[1])) : int(np.ceil(wide[3])), int(np.floor(wide[0])) : int(np.ceil(wide[2]))] = False
    assert (hidden[outside] == rgb[outside]).all()
    assert len(np.unique(hidden[~outside].reshape(-1, 3), axis=0)) <= blur.GRID[0] * blur.GRID[1]
    assert video.blurred is blur.blurred


def test_copies_hold_pixels_alone_and_photos_stay(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8825] = 6, "SECRET CAMERA", {1: "N", 2: (52.0, 31.0, 12.0)}
    mine = tmp_path / "mine"
    (mine / "sub").mkdir(parents=True)
    Image.fromarray(noise()).save(mine / "sub" / "a.jpg", exif=exif, comment=b"SECRET COMMENT", quality=95)
    text = Image.fromarray(noise(seed=1))
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Author", "SECRET NAME")
    text.save(mine / "b.png", pnginfo=info)
    text.save(mine / "b.gif")
    (mine / "cut.jpg").write_bytes(b"\xff\xd8 no")
    before = {p: p.read_bytes() for p in mine.rglob("*") if p.is_file()}
    assert sum(b"SECRET" in content for content in before.values()) == 2
    table, skipped = blur.copies(images.find(mine), into=tmp_path / "out", root=mine, find=fixed((10, 10, 30, 40)))
    assert {p: p.read_bytes() for p in mine.rglob("*") if p.is_file()} == before
    copies = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*"))
    assert copies == ["b.gif.png", "b.png", "sub/a.jpg"] and len(skipped) == 1 and set(table["faces"]) == {1}
    for path in (tmp_path / "out").rglob("*.*"):
        assert b"SECRET" not in path.read_bytes() and not _exif(path)
    assert images.read(tmp_path / "out/sub/a.jpg").shape == (80, 60, 3), "upright, as a person saw it"


def test_photos_without_a_face_lie_apart_and_a_second_run_moves_them(tmp_path: Path) -> None:
    images.write(tmp_path / "mine/a.png", noise())
    found = {"find": fixed(), "into": tmp_path / "out", "root": tmp_path / "mine"}
    table, _ = blur.copies([tmp_path / "mine/a.png"], **found)
    assert table["faces"].tolist() == [0] and (tmp_path / "out" / blur.LOOK_AT / "a.png").is_file()
    with pytest.raises(ValueError, match="no-face-found/a.png is there already"):
        blur.copies([tmp_path / "mine/a.png"], **found)
    found = found | {"find": fixed((1, 1, 20, 20)), "force": True}
    table, _ = blur.copies([tmp_path / "mine/a.png"], **found)
    assert [p.name for p in (tmp_path / "out").rglob("*.png")] == ["a.png"] and (tmp_path / "out/a.png").is_file()


def test_a_photo_is_never_overwritten_nor_a_copy_by_another(tmp_path: Path) -> None:
    photo = images.write(tmp_path / "a.png", noise())
    with pytest.raises(ValueError, match="never overwritten"):
        blur.copies([photo], into=tmp_path, find=fixed())
    other = images.write(tmp_path / "b" / "A.png", noise(seed=1))
    table, _ = blur.copies([photo, other], into=tmp_path / "out", find=fixed((0, 0, 9, 9)))
    assert [Path(c).name for c in table["copy"]] == ["a.png", "A-2.png"]


def test_what_lies_where_a_copy_goes_stays_unless_told(tmp_path: Path) -> None:
    photo, (mine, apart) = images.write(tmp_path / "a.png", noise()), (Path("a.png"), Path(blur.LOOK_AT) / "a.png")
    for name in (mine, apart):
        images.write(tmp_path / "out" / name, noise(seed=2))
        before = (tmp_path / "out" / name).read_bytes()
        with pytest.raises(ValueError, match="is there already"):
            blur.copies([photo], into=tmp_path / "out", find=fixed((0, 0, 9, 9)))
        assert (tmp_path / "out" / name).read_bytes() == before
        (tmp_path / "out" / name).unlink()


def test_a_link_to_a_photo_elsewhere_gets_its_copy_too(tmp_path: Path) -> None:
    far = images.write(tmp_path / "far" / "b.png", noise())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.png").symlink_to(far)
    table, _ = blur.copies([tmp_path / "mine/a.png"], into=tmp_path / "out", root=tmp_path / "mine", find=fixed())
    assert table["copy"].tolist() == [str(tmp_path / "out" / blur.LOOK_AT / "a.png")]


def test_a_box_is_never_made_smaller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="margin: must be at least 0, got -1"):
        blur.copies([images.write(tmp_path / "a.png", noise())], into=tmp_path / "out", find=fixed(), margin=-1)


def test_all_that_any_size_shows_is_hidden_and_counts_once() -> None:
    def at(*rows: tuple[float, ...]):  # type: ignore[no-untyped-def]
        return lambda rgb: sv.Detections(xyxy=np.array(rows, float).reshape(-1, 4))

    find = blur.thorough([at((0, 0, 20, 20)), at((1, 1, 21, 21), (40, 30, 50, 40))])
    assert len(find(noise())) == 3 and blur._count(find(noise())) == 2
    assert blur.thorough([at(), at()])(noise()).shape == (0, 4)


def test_the_command_hides_drawn_people_and_names_what_to_look_at(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lib import sample

    drawn = sample.photos(tmp_path / "mine", count=4, seed=3)
    images.write(tmp_path / "mine" / "wall.png", np.full((90, 90, 3), 150, np.uint8))
    code = main.start(["blur", str(tmp_path / "mine"), "--out", str(tmp_path / "out")])
    said = capsys.readouterr()
    assert code == 0 and f"no face found in {tmp_path / 'mine' / 'wall.png'}" in said.out
    assert "5 copies in" in said.out and (tmp_path / "out" / blur.LOOK_AT / "wall.png").is_file()
    hidden = 0
    for row in drawn.itertuples():
        x1, y1, x2, y2 = (int(v) for v in (row.x1, row.y1, row.x2, row.y2))
        path = next((tmp_path / "out").rglob(row.image))
        kept = images.read(path)[y1:y2, x1:x2].astype(float)
        hidden += np.abs(kept - images.read(tmp_path / "mine" / row.image)[y1:y2, x1:x2]).mean() > 4
    assert hidden >= 0.9 * len(drawn)
    rows = list(csv.DictReader((tmp_path / "out" / "copies.csv").read_text().splitlines()))
    assert len(rows) == 5 and sum(r["faces"] == "0" for r in rows) >= 1


def test_the_command_says_what_it_cannot_use(tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = images.write(tmp_path / "a.png", noise())
    assert main.start(["blur", str(photo), "--out", str(tmp_path)]) == 2
    assert "never overwritten" in capsys.readouterr().err
    for wrong in (("--margin", "-1"), ("--min-score", "7")):
        assert main.start(["blur", str(photo), "--out", str(tmp_path / "out"), *wrong]) == 2
        assert "is not in the range" in capsys.readouterr().err
    text = images.write(tmp_path / "text.jpg", b"hello")
    assert main.start(["blur", str(text), "--out", str(tmp_path / "out")]) == 2
    assert "no photo could be read" in capsys.readouterr().err and not (tmp_path / "out" / "copies.csv").exists()
    images.write(tmp_path / "kept" / "copies.csv", "mine")
    assert main.start(["blur", str(photo), "--out", str(tmp_path / "kept")]) == 2
    assert "--force" in capsys.readouterr().err and (tmp_path / "kept" / "copies.csv").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert main.start(["blur", str(tmp_path / "empty"), "--out", str(tmp_path / "out")]) == 2
    assert "holds no images" in capsys.readouterr().err
