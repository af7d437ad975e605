import cv2
import numpy as np
import pytest
from test_landmarks import face
from test_masks import digest, generate, photo, workroom

from lib import classes, masks, workspace
from lib.masks import choice, fabrics

POINTS = [(20, 40), (100, 15), (180, 40), (25, 110), (100, 160), (175, 110)]  # where `picture` has its corners


def room(seed=0, size=(120, 90), **options):
    return fabrics.Room(size, np.random.default_rng(seed), **options)


def picture(path, *, colour=(30, 200, 60), loops=True, alpha=None, channels=4):
    """A PNG (190, 200) of a mask with key points at POINTS, and thin ear loops."""
    rgba = np.zeros((190, 200, 4), np.uint8)
    outline = np.array([POINTS[k] for k in (0, 1, 2, 5, 4, 3)], np.int32)
    cv2.fillPoly(rgba, [outline], (*colour, 255))
    if loops:
        for x in (12, 188):
            cv2.ellipse(rgba, (x, 75), (10, 40), 0, 0, 360, (250, 20, 20, 255), 3)
    if alpha is not None:
        rgba[..., 3] = alpha
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA)[..., :channels])
    return path


def changed(made, rgb):
    return (made.rgb != rgb).any(2)


@pytest.mark.parametrize("wear", list(masks.WEARS))
def test_every_style_can_be_worn_in_every_way_and_stays_within_its_pixel_mask(wear):
    points = face(eyes=30, at=(150, 120))
    rgb = photo(points, h=300, w=300)
    for k, (name, style) in enumerate(masks.STYLES.items()):
        made = masks.put_on(rgb, points, style=name, wear=wear, rng=k)
        assert not (changed(made, rgb) & (made.mask == 0)).any(), name
        assert (made.mask == masks.FABRIC).sum() > 100 and len(made.polygon) > 3, name
        assert made.style == name and made.wear == wear
        assert made.label == ("without_mask" if style.scarf else masks.WEARS[wear])


@pytest.mark.parametrize("style", list(masks.STYLES))
def test_a_fabric_is_a_picture_with_relief_and_the_same_for_the_same_seed(style):
    draw = masks.STYLES[style].draw
    for size in ((48, 40), (160, 120)):
        first, again, other = (draw(room(seed, size)) for seed in (1, 1, 2))
        w, h = size
        assert first.rgb.shape == (h, w, 3) and first.relief.shape == (h, w)
        assert first.rgb.dtype == first.relief.dtype == np.float32
        assert np.isfinite(first.relief).all() and -0.02 < first.rgb.min() and first.rgb.max() < 1.15
        assert np.array_equal(first.rgb, again.rgb) and np.array_equal(first.relief, again.relief)
        assert not np.array_equal(first.relief, other.relief)


@pytest.mark.parametrize("style", ["surgical-blue", "window", "window-clear"])
def test_a_fabric_turned_twice_is_the_same(style):
    fabric = masks.STYLES[style].draw(room())
    once, twice = fabric.turned(), fabric.turned().turned()
    for name in ("rgb", "relief", "alpha"):
        before, half, after = (getattr(f, name) for f in (fabric, once, twice))
        assert (before is None and after is None) or np.array_equal(before, after)
        assert before is None or np.array_equal(before[0, 0], half[-1, -1])


def test_through_a_window_the_mouth_is_seen_and_it_still_belongs_to_the_mask():
    points = face()
    rgb = photo(points)
    cv2.fillPoly(rgb, [points[48:60].round().astype(np.int32)], (200, 20, 30))
    lips = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(lips, [points[48:60].round().astype(np.int32)], 1)
    lips = cv2.erode(lips, np.ones((5, 5))).astype(bool)
    reds = {}
    for style in ("window", "window-clear", "surgical-white"):
        made = masks.put_on(rgb, points, style=style, rng=3)
        assert (made.mask[lips] == masks.FABRIC).all()
        reds[style] = float((made.rgb[lips][:, 0].astype(int) - made.rgb[lips][:, 1]).mean())
    assert reds["window"] > 60 and reds["window-clear"] > 60 and reds["surgical-white"] < 30


def test_a_childs_mask_is_smaller_and_an_old_one_more_creased():
    points = face()
    sizes = {
        s: (masks.put_on(photo(points), points, style=s).mask == masks.FABRIC).sum()
        for s in ("child-surgical", "surgical-blue")
    }
    assert sizes["child-surgical"] < 0.75 * sizes["surgical-blue"]
    steep = lambda style: np.abs(np.diff(masks.STYLES[style].draw(room()).relief, axis=1)).mean()  # noqa: E731
    assert steep("surgical-blue-worn") > 1.5 * steep("surgical-blue")


def test_pleats_open_downwards():
    rows = np.mean([masks.STYLES["surgical-blue"].draw(room(k)).relief.mean(1) for k in range(8)], axis=0)
    steps = np.diff(rows[len(rows) // 5 :])
    assert -steps.min() > 1.5 * steps.max()  # rising slowly, falling at the fold's edge


def test_cloth_pushed_together_has_more_creases():
    flat, bunched = (room(bunched=b).wrinkles(1.0) for b in (1.0, 2.2))
    assert np.abs(np.diff(bunched, axis=0)).mean() > 1.5 * np.abs(np.diff(flat, axis=0)).mean()


def test_a_small_mask_folded_under_the_chin_does_not_flicker():
    points = face(eyes=24, at=(100, 80))
    rgb = photo(points, h=200, w=200)
    rgb[:90] = cv2.GaussianBlur(rgb, (3, 3), 0)[:90]
    steps = []
    for seed in range(8):
        made = masks.put_on(rgb, points, style="surgical-white", wear="under_chin", rng=seed)
        inside = cv2.erode((made.mask == masks.FABRIC).astype(np.uint8), np.ones((3, 1))).astype(bool)
        step = np.abs(np.diff(made.rgb.astype(float).mean(2), axis=0))
        steps.append(step[inside[1:] & inside[:-1]].mean())
    assert np.mean(steps) < 10  # 15 where many rows of the fabric fall on one of the photo unsmoothed


@pytest.mark.parametrize("scarf", ["gaiter", "bandana", "scarf"])
@pytest.mark.parametrize(
    ("scarf_as", "wear", "label"),
    [
        ("without_mask", "with_mask", "without_mask"),
        ("without_mask", "nose_out", "without_mask"),
        ("with_mask", "with_mask", "with_mask"),
        ("with_mask", "nose_out", "mask_worn_incorrectly"),
        ("mask_worn_incorrectly", "with_mask", "mask_worn_incorrectly"),
    ],
)
def test_what_a_scarf_counts_as_is_the_users_choice(scarf, scarf_as, wear, label):
    points = face()
    made = masks.put_on(photo(points), points, style=scarf, wear=wear, scarf_as=scarf_as)
    assert made.label == label
    plain = masks.put_on(photo(points), points, wear=wear, scarf_as=scarf_as)
    assert plain.label == masks.WEARS[wear]  # a mask is a mask


@pytest.mark.parametrize(
    ("wear", "nose", "mouth", "chin"),
    [("loose", True, True, True), ("upside_down", True, True, True), ("pushed_up", True, False, False)],
)
@pytest.mark.parametrize("seed", range(4))
def test_rarer_ways_of_wearing_cover_what_they_say(wear, nose, mouth, chin, seed):
    points = face()
    made = masks.put_on(photo(points), points, wear=wear, rng=seed)
    covered = [made.mask[int(y), int(x)] == masks.FABRIC for x, y in (points[30], points[62], points[8] - (0, 5))]
    assert covered == [nose, mouth, chin] and made.label == "mask_worn_incorrectly"


def test_the_nose_is_out_by_degrees_and_a_loose_mask_hangs_lower():
    points = face()
    rgb = photo(points)

    def rows(wear, seed):
        made = masks.put_on(rgb, points, wear=wear, rng=seed)
        column = np.nonzero(made.mask[:, int(points[33, 0])] == masks.FABRIC)[0]
        return column[0], column[-1]

    edges = [rows("nose_out", seed)[0] for seed in range(40)]
    nostrils, lip = points[33, 1], points[51, 1]
    assert min(edges) < nostrils < max(edges) < lip + 5 and min(edges) > points[30, 1]
    assert np.mean([rows("loose", s)[1] for s in range(8)]) > np.mean([rows("with_mask", s)[1] for s in range(8)]) + 5


def test_the_usual_shares_are_of_known_ways_and_leave_most_well_worn():
    assert set(choice.WEAR_SHARES) == set(masks.WEARS) - {"with_mask"} and sum(choice.WEAR_SHARES.values()) < 0.5
    assert set(masks.WEARS.values()) <= set(classes.NAMES)
    drawn = {choice.Choice(("scarf",), tuple(masks.WEARS))._mask(np.random.default_rng(k))[1] for k in range(200)}
    assert drawn == set(choice._SCARF_WEARS)


@pytest.mark.parametrize("given", [None, POINTS])
@pytest.mark.parametrize("yaw", [-35, 0, 35])
def test_a_png_lies_over_mouth_and_chin_in_its_own_colour(tmp_path, given, yaw):
    points = face(yaw=yaw)
    style = masks.template(picture(tmp_path / "mine.png"), given)
    rgb = photo(points)
    made = masks.put_on(rgb, points, style=style)
    assert made.style == "mine" and made.label == "with_mask"
    for x, y in [points[62], points[33], points[8] - (0, 6)]:
        assert made.mask[int(y), int(x)] == masks.FABRIC
        r, g, b = made.rgb[int(y), int(x)].astype(int)
        assert g > r + 40 and g > b + 40
    assert not any(made.mask[int(y), int(x)] == masks.FABRIC for x, y in points[36:48])
    assert not (changed(made, rgb) & (made.mask == 0)).any()


def test_the_pictures_alpha_gives_the_outline(tmp_path):
    whole = picture(tmp_path / "whole.png")
    rgba = cv2.imread(str(whole), cv2.IMREAD_UNCHANGED)
    cv2.circle(rgba, (100, 70), 22, (0, 0, 0, 0), -1)  # a hole
    cv2.imwrite(str(tmp_path / "hole.png"), rgba)
    points = face()
    full, hole = (masks.put_on(photo(points), points, style=str(tmp_path / f"{n}.png")) for n in ("whole", "hole"))
    lost = (full.mask == masks.FABRIC) & (hole.mask != masks.FABRIC)
    assert 0.03 < lost.sum() / (full.mask == masks.FABRIC).sum() < 0.3


def test_key_points_are_read_from_the_table_beside_the_picture(tmp_path):
    path, points = picture(tmp_path / "mine.png"), face()
    alone = masks.put_on(photo(points), points, style=str(path))
    moved = np.array(POINTS) + [(0, 30), (0, 30), (0, 30), (0, 0), (0, 0), (0, 0)]  # the upper edge further down
    rows = "".join(f"mine.png,{k},{x},{y}\n" for k, (x, y) in zip("abcdef", moved, strict=True))
    (tmp_path / "anchors.csv").write_text("file,point,x,y\n" + rows)
    path.touch()
    beside = masks.put_on(photo(points), points, style=str(path))
    given = masks.put_on(photo(points), points, style=masks.template(path, moved))
    assert np.array_equal(beside.rgb, given.rgb) and not np.array_equal(beside.rgb, alone.rgb)
    (tmp_path / "anchors.csv").write_text("file,point,x,y\nmine.png,a,1,2\n")
    path.touch()
    with pytest.raises(ValueError, match="a, b, c, d, e, f"):
        masks.template(path)


@pytest.mark.parametrize(
    ("how", "points", "match"),
    [
        ({"channels": 3}, None, "transparent background"),
        ({"alpha": 255}, None, "opaque everywhere"),
        ({"alpha": 0}, None, "alpha is"),
        ({}, POINTS[:5], "6 points"),
        ({}, [(np.nan, 0)] * 6, "6 points"),
        ({}, POINTS[::-1], "left to right"),
        ({}, [(x, y + 900) for x, y in POINTS], "outside it"),
    ],
)
def test_a_png_that_cannot_be_worn_says_what_to_do(tmp_path, how, points, match):
    path = picture(tmp_path / "broken.png", **how)
    with pytest.raises(ValueError, match=match) as trouble:
        masks.template(path, points)
    assert "broken.png" in str(trouble.value)


def test_a_file_that_is_no_picture_or_is_not_there_is_named(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"text\.png.*give a PNG"):
        masks.template(tmp_path / "text.png")
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        masks.template(tmp_path / "gone.png")
    with pytest.raises(ValueError, match="cardboard"):
        masks.template(picture(tmp_path / "mine.png"), cut="cardboard")


def test_generate_takes_pngs_and_scarves(tmp_path):
    paths, work = workroom(tmp_path, count=1)
    own = str(picture(tmp_path / "own" / "mine.png"))
    table, skipped = generate(paths, work, styles=[own], wears=["with_mask"])
    assert skipped == [] and table["style"].tolist() == ["mine"] and "-mine-" in table["image"].item()
    before = digest(work.masked)
    generate(paths, work, styles=[own], wears=["with_mask"], find=None)  # taken over: nothing is looked for
    assert digest(work.masked) == before
    picture(tmp_path / "own" / "mine.png", colour=(200, 30, 30))
    generate(paths, work, styles=[own], wears=["with_mask"])
    assert digest(work.masked) != before
    other = workspace.Workspace(tmp_path / "other")
    table, _ = generate(paths, other, styles=["scarf"], wears=["with_mask"], scarf_as="with_mask")
    assert table["label"].tolist() == ["with_mask"]
    with pytest.raises(ValueError, match="scarf_as"):
        generate(paths, other, scarf_as="scarf")


def test_every_shared_template_fits_a_face(shared):
    points = face()
    rgb = photo(points)
    files = sorted((shared / "data" / "mask-templates").glob("*.png"))
    assert len(files) == 30
    for path in files:
        made = masks.put_on(rgb, points, style=str(path))
        inside = [made.mask[int(y), int(x)] == masks.FABRIC for x, y in (points[62], points[51], points[57])]
        assert all(inside), path.name
        share = (made.mask == masks.FABRIC).sum() / np.ptp(points[:, 0]) / np.ptp(points[:, 1])
        assert 0.25 < share < 0.75, path.name
