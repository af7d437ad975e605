import csv
import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_landmarks import face

from lib import classes, images, masks, workspace
from lib.masks import jpeg


def photo(points, *, seed=0, h=360, w=320):
    """Something like a face: skin inside the hull of the points, a textured wall behind."""
    rng = np.random.default_rng(seed)
    rgb = rng.integers(90, 130, (h, w, 3)).astype(np.uint8)
    middle, spread = points.mean(0), np.ptp(points, axis=0)
    centre, axes = (
        tuple(np.round(middle).astype(int).tolist()),
        tuple(np.round(spread * (0.55, 0.7)).astype(int).tolist()),
    )
    cv2.ellipse(rgb, centre, axes, 0, 0, 360, (205, 160, 135), -1)
    for point in points[36:48].round().astype(int).tolist():
        cv2.circle(rgb, point, 2, (40, 30, 30), -1)
    return rgb


def found(*boxes):
    import supervision as sv

    if not boxes:
        return sv.Detections.empty()
    return sv.Detections(xyxy=np.array(boxes, float), confidence=np.ones(len(boxes)))


class Finder:
    """Finds always the same faces; picklable."""

    def __init__(self, *boxes):
        self.boxes = boxes

    def __call__(self, rgb):
        return found(*self.boxes)


def locate(rgb, xyxy):
    return np.array([face(at=((b[0] + b[2]) / 2, b[1] + 0.4 * (b[3] - b[1]))) for b in xyxy]).reshape(-1, 68, 2)


def write_labels(path, table, *, size):
    images.write(path, table.drop(columns="image").to_csv(index=False) + f"{size}")


BOX = (70.0, 60.0, 230.0, 270.0)


def workroom(tmp_path, count=2):
    paths = [images.write(tmp_path / "photos" / f"{i}.png", photo(face(), seed=i)) for i in range(count)]
    return paths, workspace.Workspace(tmp_path / "work")


def generate(paths, work, **options):
    how = {"find": Finder(BOX), "locate": locate, "write_labels": write_labels, **options}
    return masks.generate(paths, into=work, **how)


def digest(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_no_photos_no_masks(tmp_path):
    table, skipped = generate([], workspace.Workspace(tmp_path / "w"))
    assert len(table) == 0 and skipped == [] and {"image", "x1", "label", "origin", "parent"} <= set(table.columns)


@settings(deadline=None, max_examples=60)
@given(
    style=st.sampled_from(list(masks.STYLES)),
    wear=st.sampled_from(list(masks.WEARS)),
    eyes=st.floats(9, 90),
    yaw=st.floats(-50, 50),
    roll=st.floats(-40, 40),
    at=st.tuples(st.floats(20, 300), st.floats(20, 250)),
    seed=st.integers(0, 99),
)
def test_only_pixels_named_in_the_pixel_mask_change(style, wear, eyes, yaw, roll, at, seed):
    points = face(eyes=eyes, yaw=yaw, roll=roll, at=at)
    rgb = photo(points, seed=seed)
    before = rgb.copy()
    try:
        made = masks.put_on(rgb, points, style=style, wear=wear, rng=seed)
    except ValueError as trouble:  # a mask that would lie outside the photo
        assert "outside the photo" in str(trouble)
        return
    assert np.array_equal(rgb, before)
    assert made.rgb.dtype == np.uint8 and made.rgb.shape == rgb.shape and made.mask.shape == rgb.shape[:2]
    assert set(np.unique(made.mask)) <= {0, masks.SHADOW, masks.STRAP, masks.FABRIC}
    changed = (made.rgb != rgb).any(2)
    assert not (changed & (made.mask == 0)).any()
    inside = np.zeros(rgb.shape[:2], np.uint8)
    if len(made.polygon):
        cv2.fillPoly(inside, [np.floor(made.polygon).astype(np.int32)], 1)
        grown = cv2.dilate(inside, np.ones((9, 9)))
        fabric = made.mask == masks.FABRIC
        cut = fabric[[0, -1]].any() or fabric[:, [0, -1]].any()  # by the photo's edge: into two pieces, maybe
        assert cut or (fabric & (grown == 0)).sum() <= 0.1 * fabric.sum()


def test_same_seed_same_bytes_and_another_seed_another_picture():
    points = face()
    rgb = photo(points)
    a, b, c = (masks.put_on(rgb, points, style="cloth-floral", rng=seed) for seed in (3, 3, 4))
    assert np.array_equal(a.rgb, b.rgb) and np.array_equal(a.mask, b.mask) and a.parameters == b.parameters
    assert not np.array_equal(a.rgb, c.rgb)


@pytest.mark.parametrize("style", list(masks.STYLES))
def test_every_style_covers_mouth_and_chin_but_not_the_eyes(style):
    points = face()
    made = masks.put_on(photo(points), points, style=style)
    inside = lambda p: made.mask[int(p[1]), int(p[0])] == masks.FABRIC  # noqa: E731
    assert all(inside(p) for p in points[48:68]) and all(inside(p) for p in points[30:36])
    assert inside(points[8] - (0, 4))
    assert not any(inside(p) for p in points[36:48])


@pytest.mark.parametrize(
    ("wear", "nose", "mouth", "chin"),
    [
        ("with_mask", True, True, True),
        ("nose_out", False, True, True),
        ("mouth_out", False, False, True),
        ("under_chin", False, False, None),
        ("chin_out", True, True, False),
        ("hanging", False, False, False),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_a_way_of_wearing_covers_what_it_says(wear, nose, mouth, chin, seed):
    points = face()
    made = masks.put_on(photo(points), points, style="surgical-blue", wear=wear, rng=seed)
    covered = [made.mask[int(y), int(x)] == masks.FABRIC for x, y in (points[30], points[62], points[8] - (0, 5))]
    for is_covered, expected in zip(covered, (nose, mouth, chin), strict=True):
        assert expected is None or is_covered == expected
    assert made.label == masks.WEARS[wear] and made.label in classes.NAMES


def test_the_mask_turns_with_the_head():
    left, right = (masks.put_on(photo(face(yaw=y)), face(yaw=y), rng=1) for y in (-40, 40))
    for made, yaw in ((left, -40), (right, 40)):
        columns = np.nonzero((made.mask == masks.FABRIC).any(0))[0]
        nose = face(yaw=yaw)[30, 0]
        before, after = nose - columns[0], columns[-1] - nose
        assert (before > 1.5 * after) == (yaw > 0)  # the far side is short


def test_a_dark_photo_gets_a_dark_mask_and_a_grey_one_a_grey_mask():
    points = face()
    rgb = photo(points)
    bright = masks.put_on(rgb, points, style="surgical-white")
    dark = masks.put_on((rgb * 0.3).astype(np.uint8), points, style="surgical-white")
    fabric = (bright.mask == masks.FABRIC) & (dark.mask == masks.FABRIC)
    assert dark.rgb[fabric].mean() < 0.5 * bright.rgb[fabric].mean()
    grey = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    made = masks.put_on(grey, points, style="cloth-plain", rng=2)
    assert np.ptp(made.rgb[made.mask == masks.FABRIC].astype(int), axis=1).max() <= 2


def test_wrong_words_are_named():
    points = face()
    rgb = photo(points)
    with pytest.raises(ValueError, match="velvet"):
        masks.put_on(rgb, points, style="velvet")
    with pytest.raises(ValueError, match="backwards"):
        masks.put_on(rgb, points, wear="backwards")
    with pytest.raises(ValueError, match="finite"):
        masks.put_on(rgb, points * np.nan)
    with pytest.raises(ValueError, match="outside the photo"):
        masks.put_on(rgb, points + 5000)
    with pytest.raises(ValueError, match="per_face"):
        generate([], workspace.Workspace("nowhere"), per_face=0)


def test_generate_writes_photo_labels_mask_and_parent(tmp_path):
    paths, work = workroom(tmp_path)
    before = digest(tmp_path / "photos")
    table, skipped = generate(paths, work, per_face=2, seed=5)
    assert skipped == [] and len(table) == 4
    assert digest(tmp_path / "photos") == before
    with work.manifest() as book:
        derived, pictures = book.read("derivations"), book.read("images")
        assert len(book.kept()) == 0  # what is made of others is no new photo
    for _, row in table.iterrows():
        assert row["origin"] == "artificial" and row["label"] == masks.WEARS[row["wear"]]
        assert row["parent"] in {images.sha256(p) for p in paths}
        child = images.sha256(row["image"])
        assert derived.set_index("child").loc[child, "parent"] == row["parent"]
        assert child in set(pictures["sha256"])
        stem = row["image"].removesuffix(".jpg")
        assert images.read(stem + ".png").shape == images.read(row["image"]).shape
        assert row["parent"] in Path(stem + ".xml").read_text()
    assert not [p for p in work.masked.iterdir() if p.name.startswith(".")]


def test_other_faces_of_the_photo_stay_bare_and_are_listed(tmp_path):
    points = face(at=(150, 130), eyes=40)
    paths = [images.write(tmp_path / "two.png", photo(points))]
    table, _ = generate(paths, workspace.Workspace(tmp_path / "w"), find=Finder(BOX, (10.0, 10.0, 60.0, 70.0)))
    assert len(table) == 4 and table["image"].nunique() == 2
    for _, rows in table.groupby("image"):
        assert sorted(rows["origin"]) == ["artificial", "auto"]
        assert rows.loc[rows["origin"] == "auto", "label"].item() == "without_mask"


def test_the_same_seed_gives_the_same_files_and_a_second_run_takes_them_over(tmp_path):
    paths, work = workroom(tmp_path)
    first, _ = generate(paths, work, seed=1)
    other = workspace.Workspace(tmp_path / "other")
    with ThreadPoolExecutor(2) as pool:
        generate(paths, other, seed=1, executor=pool)
    assert digest(work.masked) == digest(other.masked)

    def never(rgb):
        raise AssertionError("looked again")

    again, _ = generate(paths, work, seed=1, find=never)
    assert first.equals(again)
    next(work.masked.glob("*.jpg")).unlink()
    mended, _ = generate(paths, work, seed=1)
    assert digest(work.masked) == digest(other.masked) and mended.equals(first)
    with pytest.raises(AssertionError, match="looked again"):
        generate(paths, work, seed=2, find=never)


def test_what_cannot_be_masked_is_listed_with_its_reason(tmp_path):
    paths, work = workroom(tmp_path, count=1)
    (tmp_path / "photos" / "text.jpg").write_text("no picture")
    paths.append(tmp_path / "photos" / "text.jpg")
    table, skipped = generate(paths, work, refuse=lambda points, box: "the eyes are shut")
    assert len(table) == 0 and not list(work.masked.iterdir())
    assert "eyes are shut" in skipped[0]["reason"] and "not an image" in skipped[1]["reason"]
    _, skipped = generate(paths[:1], work, find=Finder())
    assert skipped[0]["reason"] == "no face is found"
    _, skipped = generate(paths[:1], work, locate=lambda rgb, xyxy: np.full((1, 68, 2), np.nan))
    assert "do not settle" in skipped[0]["reason"]


def test_a_second_run_still_names_what_was_refused(tmp_path):
    paths, work = workroom(tmp_path, count=1)
    two = Finder(BOX, (10.0, 10.0, 60.0, 70.0))
    small = lambda points, box: "small" if box[2] < 100 else None  # noqa: E731
    first, second = (generate(paths, work, find=two, refuse=small) for _ in range(2))
    assert first[1] == second[1] and first[1][0]["reason"] == "small" and first[1][0]["box"] == [10, 10, 60, 70]


def test_a_mask_without_room_in_the_photo_is_a_row_and_not_the_end(tmp_path):
    paths, work = workroom(tmp_path, count=1)
    chin = (80.0, 300.0, 240.0, 510.0)  # the face's lower half is cut off
    wide = lambda rgb, xyxy: np.array([face(at=(150, 140)), face(at=(5000, 140))])  # noqa: E731
    table, skipped = generate(paths, work, find=Finder(BOX, chin), locate=wide, per_face=2)
    assert (table["origin"] == "artificial").sum() == 2 and "outside the photo" in skipped[0]["reason"]
    again, known = generate(paths, work, find=None, locate=wide, per_face=2)  # taken over: nothing is looked for
    assert again.equals(table) and known == skipped
    _, skipped = generate(paths, work, find=Finder(BOX), locate=lambda rgb, xyxy: wide(rgb, xyxy)[1:])
    assert "no face can be masked: points: the mask would lie outside" in skipped[0]["reason"]


def test_what_was_drawn_is_never_drawn_on_again(tmp_path):
    """The workspace may lie among the photos, and a drawn picture may have been copied elsewhere."""
    paths, work = workroom(tmp_path)
    first, _ = generate(paths, work)
    copied = images.write(tmp_path / "photos" / "copy.jpg", Path(first["image"][0]).read_bytes())
    again, skipped = generate([*paths, *images.find(work.root), copied], work)
    assert again.equals(first)
    assert [row["item"] for row in skipped] == [str(copied)] and "not bare" in skipped[0]["reason"]


def test_several_processes_make_the_same(tmp_path):
    paths, work = workroom(tmp_path)
    other = workspace.Workspace(tmp_path / "other")
    generate(paths, work, lookalikes=0.3)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        generate(paths, other, lookalikes=0.3, executor=pool)
    assert digest(work.masked) == digest(other.masked)


def test_real_faces_take_every_style(shared):
    """Points as dlib finds them are not needed here: an index box and a neutral face show that nothing breaks."""
    folder = shared / "data" / "photos-bare"
    with (folder / "index.csv").open() as file:
        rows = list(csv.DictReader(file))[:40:2]
    for row, style in zip(rows, masks.STYLES, strict=False):
        x, y, w, h = (float(row[f"face_{k}"]) for k in "xywh")
        points = face(eyes=w * 0.42, at=(x + w / 2, y + h * 0.4))
        made = masks.put_on(images.read(folder / row["file"]), points, style=style)
        assert 0.15 < (made.mask == masks.FABRIC).sum() / (w * h) < 0.7


def landscape(h, w, *, seed=0):
    """Something that has all frequencies, as photos do: less of them the finer they are."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.normal(0, 9, (h // s + 1, w // s + 1, 3)), (w, h), interpolation=cv2.INTER_CUBIC)
        for s in (1, 4, 16, 64)
    ]
    return np.clip(120 + np.sum(layers, axis=0) * 1.5, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("quality", [15, 30, 50, 75, 85])
@pytest.mark.parametrize("seed", range(3))
def test_the_quality_of_a_jpeg_is_read_off_its_pixels(quality, seed):
    rgb = images.read(images.encode(landscape(200, 240, seed=seed), quality=quality))
    assert abs(jpeg.quality(rgb[16:180, 32:220]) - quality) <= 2
    assert jpeg.quality(jpeg.pressed(landscape(160, 160, seed=seed), quality)) == jpeg.quality(rgb)


def test_no_jpeg_and_a_scaled_jpeg_have_no_quality():
    rgb = landscape(200, 240)
    assert jpeg.quality(rgb) is None and jpeg.quality(rgb[:4]) is None and jpeg.quality(np.zeros_like(rgb)) is None
    compressed = images.read(images.encode(rgb, quality=60))
    assert jpeg.quality(cv2.resize(compressed, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)) is None


def test_a_mask_in_a_compressed_photo_is_compressed_alike():
    points = face(eyes=70, at=(160, 130))
    rgb = np.where(photo(points)[..., :1] > 140, photo(points), landscape(360, 320)).astype(np.uint8)
    rgb = np.clip(rgb + np.random.default_rng(0).normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)
    plain, made = (
        masks.put_on(p, points, style="cloth-floral") for p in (rgb, images.read(images.encode(rgb, quality=25)))
    )
    assert plain.parameters["jpeg"] is None and abs(made.parameters["jpeg"] - 25) <= 2
    y, x = (int(v) // 16 * 16 for v in (points[33, 1], points[60, 0]))
    part = (slice(y, y + 48), slice(x, x + 48))
    assert (made.mask[part] == masks.FABRIC).all()
    assert abs(jpeg.quality(made.rgb[part]) - 25) <= 2
