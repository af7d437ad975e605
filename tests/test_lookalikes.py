"""What covers a face and is no mask: drawn, labelled, written, and kept in its parent's group."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_landmarks import face
from test_masks import BOX, digest, generate, locate, photo, workroom

from lib import dataset, images, masks
from lib.workspace import Workspace

KINDS = list(masks.LOOKALIKES)
MOUTH = ("hand", "hands", "fist", "cup")


@settings(deadline=None, max_examples=50)
@given(
    kind=st.sampled_from(KINDS),
    eyes=st.floats(8, 90),
    yaw=st.floats(-50, 50),
    roll=st.floats(-40, 40),
    at=st.tuples(st.floats(0, 320), st.floats(0, 300)),
    seed=st.integers(0, 99),
)
def test_only_pixels_named_in_the_pixel_mask_change(kind, eyes, yaw, roll, at, seed):
    points = face(eyes=eyes, yaw=yaw, roll=roll, at=at)
    rgb = photo(points, seed=seed)
    before = rgb.copy()
    try:
        made = masks.cover_with(rgb, points, kind=kind, rng=seed)
    except ValueError as trouble:  # it would lie outside the photo
        assert "outside the photo" in str(trouble)
        return
    assert np.array_equal(rgb, before)
    assert made.rgb.dtype == np.uint8 and made.rgb.shape == rgb.shape and made.mask.shape == rgb.shape[:2]
    assert set(np.unique(made.mask)) <= {0, masks.SHADOW, masks.FABRIC} and (made.mask == masks.FABRIC).any()
    assert not ((made.rgb != rgb).any(2) & (made.mask == 0)).any()
    assert ((made.polygon >= 0) & (made.polygon <= (rgb.shape[1], rgb.shape[0]))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_look_alike_says_what_it_is_and_the_same_seed_gives_the_same_bytes(kind):
    points = face()
    rgb = photo(points)
    a, b, c = (masks.cover_with(rgb, points, kind=kind, rng=seed) for seed in (3, 3, 4))
    assert (a.label, a.style, a.wear) == ("without_mask", kind, "") and a.parameters
    assert np.array_equal(a.rgb, b.rgb) and np.array_equal(a.mask, b.mask) and a.parameters == b.parameters
    assert not np.array_equal(a.rgb, c.rgb)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiny_face_can_be_covered(kind):
    points = face(eyes=9, at=(40, 30))  # some 24 pixels wide
    made = masks.cover_with(photo(points, h=90, w=80), points, kind=kind)
    assert 10 < (made.mask == masks.FABRIC).sum() < 90 * 80 * 0.8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [(4.0, 130.0), (316.0, 130.0), (150.0, 330.0)])
def test_a_face_cut_by_the_photos_edge_is_covered_as_far_as_it_is_seen(kind, at):
    points = face(at=at)
    try:
        made = masks.cover_with(photo(points), points, kind=kind)
    except ValueError as trouble:
        assert "outside the photo" in str(trouble)
    else:
        assert (made.mask == masks.FABRIC).any()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_each_lies_where_it_belongs(kind, seed):
    points = face()
    made = masks.cover_with(photo(points), points, kind=kind, rng=seed)
    thing = made.mask == masks.FABRIC
    there = lambda p: bool(thing[int(p[1]), int(p[0])])  # noqa: E731
    if kind in MOUTH:
        assert sum(map(there, points[48:68])) >= 3
    if kind == "beard":
        assert sum(map(there, points[5:12] - (0, 5))) >= 3 and not any(map(there, points[36:48]))
        assert not there(points[62:68].mean(0))  # the lips stay free
    if kind in ("scarf", "collar"):
        assert not any(map(there, points[27:36])) and thing[int(points[8, 1]) :, int(points[8, 0])].mean() > 0.3
    if kind == "glasses":
        assert thing[: int(points[30, 1])].sum() == thing.sum() and thing.any()
    if kind == "strap":
        assert not any(map(there, points[27:36])) and not any(map(there, points[36:48]))


def test_a_hand_has_the_skin_and_the_light_of_its_face():
    points = face()
    rgb = photo(points)
    grey = np.repeat(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    for light in (1.0, 0.35):
        made = masks.cover_with((rgb * light).astype(np.uint8), points, kind="fist", rng=2)
        inside = cv2.erode((made.mask == masks.FABRIC).astype(np.uint8), np.ones((7, 7))) > 0
        tone = np.median(made.rgb[inside], axis=0) / (np.array([205, 160, 135]) * light)
        assert (0.75 < tone).all() and (tone < 1.15).all()
    for kind in KINDS:
        made = masks.cover_with(grey, points, kind=kind, rng=1)
        assert np.ptp(made.rgb[made.mask == masks.FABRIC].astype(int), axis=1).max() <= 12


def test_wrong_words_are_named():
    points = face()
    rgb = photo(points)
    with pytest.raises(ValueError, match="kind: unknown 'banana'; known are hand"):
        masks.cover_with(rgb, points, kind="banana")
    with pytest.raises(ValueError, match="finite"):
        masks.cover_with(rgb, points * np.nan)
    with pytest.raises(ValueError, match="outside the photo"):
        masks.cover_with(rgb, points + 5000)
    with pytest.raises(ValueError, match="lookalikes: unknown 'banana'"):
        generate([], Workspace("nowhere"), lookalikes=["banana"])
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        generate([], Workspace("nowhere"), lookalikes=1.5)


def test_generate_writes_look_alikes_as_bare_faces_with_their_parent(tmp_path):
    paths, work = workroom(tmp_path)
    before = digest(tmp_path / "photos")
    table, skipped = generate(paths, work, per_face=2, lookalikes=["hand", "beard"], seed=3)
    assert skipped == [] and len(table) == 4 and digest(tmp_path / "photos") == before
    assert set(table["label"]) == {"without_mask"} and set(table["style"]) <= {"hand", "beard"}
    assert set(table["wear"]) == {""} and set(table["origin"]) == {"artificial"}
    with work.manifest() as book:
        derived = book.read("derivations").set_index("child")
    for _, row in table.iterrows():
        stem = row["image"].removesuffix(".jpg")
        assert derived.loc[images.sha256(row["image"]), "parent"] == row["parent"]
        assert images.read(stem + ".png").max() == masks.FABRIC and "without_mask" in Path(stem + ".xml").read_text()


def test_a_share_of_look_alikes_stands_beside_masks_and_none_changes_nothing(tmp_path):
    paths, work = workroom(tmp_path, count=3)
    table, _ = generate(paths, work, per_face=5, lookalikes=0.5, seed=1)
    alike = table["style"].isin(KINDS)
    assert 3 <= alike.sum() <= 12 and set(table.loc[alike, "label"]) == {"without_mask"}
    assert (table.loc[~alike, "label"] != "without_mask").all()
    plain, without = Workspace(tmp_path / "plain"), Workspace(tmp_path / "without")
    generate(paths, plain, seed=1)
    generate(paths, without, seed=1, lookalikes=0)
    assert digest(plain.masked) == digest(without.masked)


def test_a_second_run_takes_over_and_another_share_is_another_wish(tmp_path):
    paths, work = workroom(tmp_path)
    first, _ = generate(paths, work, seed=1, lookalikes=1.0)

    def never(rgb):
        raise AssertionError("looked again")

    again, _ = generate(paths, work, seed=1, lookalikes=1.0, find=never)
    assert first.equals(again)
    other = Workspace(tmp_path / "other")
    generate(paths, other, seed=1, lookalikes=1.0)
    assert digest(work.masked) == digest(other.masked)
    with pytest.raises(AssertionError, match="looked again"):
        generate(paths, work, seed=1, lookalikes=0.5, find=never)


def test_where_one_has_no_room_the_next_is_drawn(tmp_path):
    points = locate(None, [BOX])[0]
    cut = photo(points)[: int(points[60, 1])]  # no chin, no neck
    paths = [images.write(tmp_path / "cut.png", cut)]
    table, skipped = generate(paths, Workspace(tmp_path / "w"), per_face=6, lookalikes=["collar", "glasses"])
    assert skipped == [] and "glasses" in set(table["style"])
    low = [images.write(tmp_path / "low.png", photo(points)[: int(points[38, 1])])]
    table, skipped = generate(low, Workspace(tmp_path / "v"), lookalikes=["collar"])
    assert len(table) == 0 and "collar would lie outside the photo" in skipped[0]["reason"]


def test_look_alikes_stay_with_their_parent_and_outlive_its_bare_side(tmp_path):
    """A photo, its masked copy and its look-alike are one group; with the masked copy the bare photo goes, not it."""
    paths, work = workroom(tmp_path, count=3)
    masked, _ = generate(paths, work, seed=1)
    alike, _ = generate(paths, work, seed=1, lookalikes=1.0)
    bare = masked.assign(
        image=[str(p) for p in paths], label="without_mask", origin="manual", parent="", style="", wear=""
    )
    grouped = dataset.group(pd.concat([bare, masked.assign(label="with_mask"), alike], ignore_index=True))
    assert grouped.groupby("group").size().tolist() == [3, 3, 3]
    rest = dataset.apart(grouped)
    assert set(rest["image"]) == set(masked["image"]) | set(alike["image"])
    bare_side = dataset.apart(grouped, bare=1.0)
    assert set(bare_side["image"]) == {str(p) for p in paths} | set(alike["image"])
    sides = dataset.split(rest, shares=(0.34, 0.33, 0.33))
    assert (sides.groupby("group")["split"].nunique() == 1).all()
    assert len(dataset.apart(dataset.group(pd.concat([bare, alike], ignore_index=True)))) == 6  # no positive among them


@pytest.mark.parametrize("beside", [*masks.UNDER, *masks.BEFORE])
def test_a_mask_and_something_else_keep_the_masks_label_and_pixels(beside):
    points = locate(None, [BOX])[0]
    rgb = photo(points)
    made = masks.together(rgb, points, beside=beside, rng=3)
    alone = masks.put_on(rgb, points, rng=3)
    assert made.label == "with_mask" and made.parameters["beside"] == beside
    assert np.array_equal(made.rgb[made.mask == 0], rgb[made.mask == 0])
    fabric = made.mask == masks.FABRIC
    assert fabric.sum() > 0.25 * (alone.mask == masks.FABRIC).sum()
    if beside in masks.BEFORE:
        assert fabric.sum() < (alone.mask == masks.FABRIC).sum(), "what lies before the mask is not the mask"
    assert np.array_equal(made.rgb, masks.together(rgb, points, beside=beside, rng=3).rgb)


def test_only_some_things_go_with_a_mask():
    points = locate(None, [BOX])[0]
    with pytest.raises(ValueError, match="unknown 'scarf'"):
        masks.together(photo(points), points, beside="scarf")


def test_with_a_share_of_look_alikes_some_masks_are_seen_with_one(tmp_path):
    import json

    paths, work = workroom(tmp_path)
    generate(paths, work, per_face=12, lookalikes=0.3, seed=2)
    told = [json.loads(p) for p in work.manifest().read("derivations")["parameters"]]
    beside = [d for d in told if d.get("beside")]
    assert beside and len(beside) < len(told) / 2 and all(d["wear"] for d in beside)
