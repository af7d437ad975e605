"""The table of faces: boxes by one rule, groups, a split that cannot leak, crops."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import boxes, classes, dataset, images

BOX = ["x1", "y1", "x2", "y2"]
COLUMNS = ["image", "x1", "y1", "x2", "y2", "label", "source", "origin", "group", "parent", "split", "score"]


def table(*rows: dict) -> pd.DataFrame:
    plain = {"x1": 0.0, "y1": 0.0, "x2": 20.0, "y2": 20.0, "label": "with_mask", "source": "s", "origin": "manual"}
    empty = {"group": None, "parent": None, "split": None, "score": None}
    return pd.DataFrame([plain | empty | row for row in rows], columns=None if rows else COLUMNS)


def photo(path: Path, *, size: tuple[int, int] = (80, 60), seed: int = 0) -> str:
    rgb = np.random.default_rng(seed).integers(0, 255, (size[1] // 4, size[0] // 4, 3), np.uint8)
    images.write(path, np.repeat(np.repeat(rgb, 4, 0), 4, 1), quality=95)
    return str(path)


def finds(*xyxy: tuple[float, ...]):
    return lambda rgb: SimpleNamespace(xyxy=np.array(xyxy, float).reshape(-1, 4))


# --- tables ---


def test_join_counts_a_face_once():
    one = table({"image": "a.jpg"}, {"image": "b.jpg"})
    two = table({"image": "b.jpg", "label": "without_mask"}, {"image": "b.jpg", "x1": 3.0}).assign(framing="labelled")
    both = dataset.join(one, table(), two)
    assert both["image"].tolist() == ["a.jpg", "b.jpg", "b.jpg"]
    assert both["label"].tolist() == ["with_mask"] * 3
    assert both["framing"].tolist() == ["", "", "labelled"] and both["parent"].tolist() == [""] * 3
    assert dataset.join(table(), table()).empty and dataset.join().empty


def test_promised_are_the_images_whose_query_named_a_class():
    kept = pd.DataFrame({"path": ["a.jpg", "b.jpg"], "width": [80, 10], "height": [60, 10], "label": ["with_mask", ""]})
    rows = dataset.promised(kept, source="crawl")
    assert rows[["image", "x2", "y2", "label", "source", "framing"]].values.tolist() == [
        ["a.jpg", 80.0, 60.0, "with_mask", "crawl", "whole"]
    ]


# --- bare ---


def seen(rgb: np.ndarray) -> SimpleNamespace:
    """A detector that reads the answers off the photo's first pixel."""
    names = {10: [], 20: ["without_mask"], 30: ["without_mask", "with_mask"], 40: ["unsure"]}[int(rgb[0, 0, 0])]

    class Found(list):
        data = {"class_name": names}

    return Found(names)


def kept(folder: Path, **shades: tuple[int, str]) -> pd.DataFrame:
    paths = [images.write(folder / f"{n}.png", np.full((8, 8, 3), s, np.uint8)) for n, (s, _) in shades.items()]
    rows = [(str(p), images.sha256(p), label) for p, (_, label) in zip(paths, shades.values(), strict=True)]
    return pd.DataFrame(rows, columns=["path", "sha256", "label"])


def test_bare_of_nothing(tmp_path):
    rows, skipped = dataset.bare(kept(tmp_path), table(), ask=seen)
    assert len(rows) == 0 and skipped == []


def test_a_photo_is_bare_where_a_person_or_the_detector_says_so(tmp_path):
    photos = kept(
        tmp_path, none=(10, ""), open=(20, ""), mixed=(30, "without_mask"), odd=(40, ""), masked=(20, "with_mask")
    )
    (tmp_path / "cut.png").write_bytes(b"cut")
    photos.loc[len(photos)] = [str(tmp_path / "cut.png"), "0", ""]
    rows, skipped = dataset.bare(photos, table(), ask=seen)
    assert [Path(p).stem for p in rows["path"]] == ["open"]
    assert [(Path(s["item"]).stem, s["reason"][:25]) for s in skipped[:3]] == [
        ("none", "no face found"), ("mixed", "a face may wear a mask al"), ("odd", "a face may wear a mask al")
    ]  # fmt: skip
    assert len(skipped) == 4


def test_the_word_of_a_person_about_a_photo_stands(tmp_path):
    photos = kept(tmp_path, open=(20, ""), mixed=(30, ""))
    said = table(
        {"image": photos["path"][0], "label": "with_mask"}, {"image": photos["path"][1], "label": "without_mask"}
    )
    rows, skipped = dataset.bare(photos, said, ask=seen)
    assert [Path(p).stem for p in rows["path"]] == ["mixed"] and skipped == []


# --- locate ---


def test_locate_nothing():
    assert dataset.locate(table(), finds()).empty


def test_locate_frames_whole_images_by_the_face_in_them(tmp_path):
    image = photo(tmp_path / "a.jpg")
    rows = table({"image": image, "x2": 80, "y2": 60})
    located = dataset.locate(rows, finds((2, 2, 6, 8), (20, 10, 50, 50), (70, 0, 79, 10)))
    assert located[["x1", "y1", "x2", "y2", "framing"]].values.tolist() == [[20, 10, 50, 50, "found"]]
    assert rows["x2"].item() == 80  # the table that was given is as it was


def test_locate_keeps_labelled_boxes_and_marks_what_it_cannot_find(tmp_path):
    one, two = photo(tmp_path / "a.jpg"), photo(tmp_path / "b.jpg")
    rows = table({"image": one, "x1": 5, "x2": 30}, {"image": two, "x2": 80, "y2": 60})
    assert dataset.locate(rows, finds())["framing"].tolist() == ["labelled", "whole"]
    assert dataset.locate(rows, None)["framing"].tolist() == ["labelled", "whole"]


def test_locate_believes_the_framing_that_a_table_tells(tmp_path):
    image = photo(tmp_path / "a.jpg")
    box = {"image": image, "x2": 80, "y2": 60}
    for told, seen in (("labelled", "labelled"), ("found", "found"), ("whole", "found"), ("", "found")):
        located = dataset.locate(table(box | {"framing": told}), finds((20, 10, 50, 50)))
        assert located["framing"].tolist() == [seen], told


def test_locate_tries_a_tight_crop_again_with_a_border(tmp_path):
    def find(rgb):  # sees nothing in a crop as it is, and a face once there is room around it
        return finds((24 + 10, 18 + 5, 24 + 60, 18 + 55))(rgb) if rgb.shape[1] > 80 else finds()(rgb)

    located = dataset.locate(table({"image": photo(tmp_path / "a.jpg"), "x2": 80, "y2": 60}), find)
    assert located[["x1", "y1", "x2", "y2"]].values.tolist() == [[10, 5, 60, 55]]


def test_locate_names_what_it_cannot_read(tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    rows = table({"image": str(tmp_path / "bad.jpg")}, {"image": photo(tmp_path / "a.jpg")}, {"image": "gone.jpg"})
    located = dataset.locate(rows, None)
    assert located["image"].tolist() == [rows["image"][1]]
    assert [Path(s["item"]).name for s in located.attrs["skipped"]] == ["bad.jpg", "gone.jpg"]
    assert "not there" in located.attrs["skipped"][1]["reason"]


# --- group ---


def grouped(rows: pd.DataFrame, **options) -> list[set[int]]:
    result = dataset.group(rows, **options)
    return sorted((set(g.index) for _, g in result.groupby("group")), key=min)


def test_group_nothing():
    assert dataset.group(table()).empty


def test_group_joins_photo_twins_parent_and_person():
    rows = table(
        {"image": "p/0.jpg"},
        {"image": "p/0.jpg"},
        {"image": "p/2.jpg"},
        {"image": "m/3.jpg", "parent": "p/0.jpg"},
        {"image": "p/1_0_anhu_0001.jpg"},
        {"image": "p/1_0_anhu_0002.jpg"},
        {"image": "p/1_0_yangmi_0001.jpg"},
        {"image": "p/7.jpg"},
        {"image": "p/0_0_copy_8.jpg"},
        {"image": "p/0_0_copy_9.jpg"},
    )
    twins = pd.DataFrame({"image": ["p/2.jpg", "p/7.jpg", "elsewhere.jpg"], "group": [4, 4, 4]})
    assert grouped(rows, twins=twins) == [{0, 1, 3}, {2, 7}, {4, 5}, {6}, {8}, {9}]


def test_group_takes_several_tables_of_twins_and_an_image_in_several_groups():
    rows = table(*({"image": f"p/{i}.jpg"} for i in range(6)))
    copies = pd.DataFrame({"image": ["p/0.jpg", "p/1.jpg"], "group": [0, 0]})
    masked = pd.DataFrame({"image": ["p/2.jpg", "p/3.jpg", "p/3.jpg", "p/4.jpg"], "group": [0, 0, 1, 1]})
    assert grouped(rows, twins=[copies, masked]) == [{0, 1}, {2, 3, 4}, {5}], "each table counts its groups from 0"


def test_group_knows_parents_by_hash(tmp_path):
    parent = photo(tmp_path / "a.jpg")
    sha = images.sha256(parent)
    child = {"image": "c.jpg", "parent": sha}
    assert grouped(table({"image": parent}, child)) == [{0, 1}]
    assert grouped(table({"image": f"raw/{sha}.jpg"}, child)) == [{0, 1}]
    assert grouped(table({"image": "d.jpg", "parent": sha}, child)) == [{0, 1}]  # two children of a photo not here


def test_group_knows_persons_and_older_groups():
    rows = table(
        {"image": "0.jpg", "person": 7, "group": "x"},
        {"image": "1.jpg", "person": 7},
        {"image": "2.jpg", "person": 8, "group": "x"},
        {"image": "3.jpg", "person": np.nan},
        {"image": "4.jpg", "person": np.nan},
    )
    assert grouped(rows) == [{0, 1, 2}, {3}, {4}]


def test_group_names_hold_on_any_machine_and_order():
    rows = table(*({"image": f"/home/me/with/{i}.jpg", "person": i % 3} for i in range(9)))
    names = dataset.group(rows)["group"]
    moved = rows.assign(image=[i.replace("/home/me", "/srv") for i in rows["image"]])
    assert dataset.group(moved)["group"].tolist() == names.tolist()
    back = dataset.group(rows[::-1])["group"].tolist()[::-1]
    assert back == names.tolist() and names.nunique() == 3


def test_groups_of_one_name_in_two_places_stay_apart():
    rows = table({"image": "/a/images/1.jpg"}, {"image": "/b/images/1.jpg"})
    assert dataset.group(rows)["group"].nunique() == 2


# --- apart ---


def family(n: int) -> pd.DataFrame:
    bare = [{"image": f"p/{i}.jpg", "label": "without_mask"} for i in range(n)]
    masked = [{"image": f"m/{i}.jpg", "parent": f"p/{i}.jpg", "origin": "artificial"} for i in range(n)]
    return table(*bare, *masked)


def test_apart_takes_out_bare_photos_whose_masked_copy_is_a_positive():
    rows = pd.concat([family(4), table({"image": "p/9.jpg", "label": "without_mask"})])
    assert sorted(dataset.apart(rows)["image"]) == ["m/0.jpg", "m/1.jpg", "m/2.jpg", "m/3.jpg", "p/9.jpg"]


def test_apart_leaves_look_alikes_beside_their_parent():
    rows = family(3).assign(label="without_mask")
    assert len(dataset.apart(rows)) == 6
    assert len(dataset.apart(table({"image": "a.jpg"}))) == 1


@given(n=st.integers(1, 40), bare=st.floats(0, 1), seed=st.integers(0, 99))
def test_apart_never_keeps_both_sides(n, bare, seed):
    rest = dataset.apart(family(n), bare=bare, seed=seed)
    shown = [Path(i).name for i in rest["image"]]
    assert sorted(shown) == sorted({f"{i}.jpg" for i in range(n)})  # each face once, bare or masked
    assert rest.equals(dataset.apart(family(n), bare=bare, seed=seed))


def test_a_series_of_selfies_is_one_group_and_other_photos_of_that_source_are_not(tmp_path):
    shapes = [(400, 301, 3), (400, 301, 3), (301, 400, 3)]
    names = [str(images.write(tmp_path / f"{i}.png", np.zeros(shape, np.uint8))) for i, shape in enumerate(shapes)]
    rows = table(*({"image": n, "source": "photos-853"} for n in names))
    groups = dataset.group(rows)["group"]
    assert groups[0] == groups[1] != groups[2]
    assert dataset.group(rows.assign(source="other"))["group"].nunique() == 3


# (group, class) of each face
MEMBERS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(classes.NAMES)), min_size=1, max_size=60)

# --- split ---


@given(members=MEMBERS, seed=st.integers(0, 9))
@settings(deadline=None)
def test_split_never_splits_a_group(members, seed):
    rows = table(*({"image": f"{i}.jpg", "label": label, "group": f"g{g}"} for i, (g, label) in enumerate(members)))
    if rows["label"].nunique() < 2:
        with pytest.raises(ValueError, match="at least two classes"):
            dataset.split(rows, seed=seed)
        return
    result = dataset.split(rows, seed=seed)
    assert set(result["split"]) <= {"train", "validation", "test"}
    assert (result.groupby("group")["split"].nunique() == 1).all()
    again = dataset.split(rows.sample(frac=1, random_state=seed), seed=seed).sort_values("image")
    assert again["split"].tolist() == result.sort_values("image")["split"].tolist()


def test_split_keeps_the_shares_of_every_class():
    rng = np.random.default_rng(0)
    labels = rng.choice(classes.NAMES, 2000, p=[0.6, 0.35, 0.05])
    rows = table(*({"image": f"{i}.jpg", "label": v, "group": str(i // 2)} for i, v in enumerate(labels)))
    result = dataset.split(rows, seed=3)
    counts = pd.crosstab(result["label"], result["split"], normalize="index")
    assert np.allclose(counts[["train", "validation", "test"]], [0.7, 0.15, 0.15], atol=0.03)
    assert (dataset.split(rows, seed=4)["split"] != result["split"]).any()


def test_split_keeps_crowds_out_of_a_small_side():
    crowd = [{"image": "crowd.jpg", "label": "without_mask", "group": "crowd"}] * 60
    rows = table(*crowd, *({"image": f"{i}.jpg", "label": classes.NAMES[i % 2], "group": str(i)} for i in range(200)))
    for seed in range(5):
        side = dataset.split(rows, seed=seed, largest=0.3)
        assert set(side.loc[side["group"] == "crowd", "split"]) == {"train"}
    few = table(*({"image": f"{i}.jpg", "label": classes.NAMES[i % 2], "group": str(i // 9)} for i in range(27)))
    assert dataset.split(few, largest=0.3)["split"].nunique() == 3  # too few groups to be choosy


def test_split_refuses_what_it_cannot_do():
    rows = table({"image": "0.jpg", "group": "a"}, {"image": "1.jpg", "label": "without_mask", "group": "b"})
    with pytest.raises(ValueError, match="add up to 1"):
        dataset.split(rows, shares=(0.7, 0.2, 0.2))
    with pytest.raises(ValueError, match=r"dataset\.group"):
        dataset.split(rows.assign(group=None))
    with pytest.raises(ValueError, match=r"with_mask only"):
        dataset.split(rows.assign(label="with_mask"))


def test_split_file_is_the_same_everywhere(tmp_path):
    rows = table(*({"image": f"/x/w/{i}.jpg", "label": classes.NAMES[i % 2], "group": str(i)} for i in range(40)))
    parted = dataset.split(rows, seed=1)
    one = dataset.write_split(parted, tmp_path, seed=1)
    moved = parted.assign(image=[i.replace("/x", "/y") for i in parted["image"]])[::-1]
    assert dataset.write_split(moved, tmp_path, name="again")["sha256"] == one["sha256"]
    assert "/x/" not in (tmp_path / "split.json").read_text()
    assert sum(sum(v.values()) for v in one["faces"].values()) == 40


# --- folds ---


@given(members=MEMBERS, seed=st.integers(0, 9))
@settings(deadline=None)
def test_folds_keep_groups_whole_and_hold_every_face_out_once(members, seed):
    rows = table(*({"image": f"{i}.jpg", "label": label, "group": f"g{g}"} for i, (g, label) in enumerate(members)))
    if rows["label"].nunique() < 2 or rows["group"].nunique() < 3:
        with pytest.raises(ValueError, match=r"two classes|number of groups"):
            dataset.folds(rows, 3, seed=seed)
        return
    parted = dataset.folds(rows, 3, seed=seed)
    assert set(parted["fold"]) == {0, 1, 2}
    assert (parted.groupby("group")["fold"].nunique() == 1).all()
    again = dataset.folds(rows.sample(frac=1, random_state=seed), 3, seed=seed).sort_values("image")
    assert again["fold"].tolist() == parted.sort_values("image")["fold"].tolist()
    rounds = [dataset.held_out(parted, fold)["split"] for fold in range(3)]
    for side in ("test", "validation", "train"):
        assert (sum((r == side).astype(int) for r in rounds) == 1).all()


def test_folds_spread_every_class():
    labels = np.random.default_rng(0).choice(classes.NAMES, 1000, p=[0.6, 0.35, 0.05])
    rows = table(*({"image": f"{i}.jpg", "label": v, "group": str(i // 2)} for i, v in enumerate(labels)))
    share = pd.crosstab(dataset.folds(rows, 5)["fold"], labels, normalize="columns")
    assert np.allclose(share, 0.2, atol=0.03)
    assert (dataset.folds(rows, 5, seed=1)["fold"] != dataset.folds(rows, 5)["fold"]).any()


def test_folds_are_saved_and_two_are_too_few_to_hold_out(tmp_path):
    rows = table(*({"image": f"w/{i}.jpg", "label": classes.NAMES[i % 2], "group": str(i)} for i in range(22)))
    parted = dataset.folds(rows, 11, seed=1)
    told = dataset.write_split(parted, tmp_path, name="folds", seed=1, column="fold")
    kept = json.loads((tmp_path / "folds.json").read_text())
    assert list(kept["images"]) == [str(i) for i in range(11)] and told["file"] == "folds.json"
    assert sum(len(v) for v in kept["images"].values()) == 22
    with pytest.raises(ValueError, match="at least three folds"):
        dataset.held_out(dataset.folds(rows, 2), 0)
    with pytest.raises(ValueError, match="got 7"):
        dataset.held_out(dataset.folds(rows, 3), 7)


# --- backgrounds ---


def test_backgrounds_of_nothing():
    assert dataset.backgrounds(table()).empty


@given(seed=st.integers(0, 99))
@settings(deadline=None, max_examples=20)
def test_backgrounds_touch_no_face_and_stay_with_their_photo(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("photos")
    image, crop = photo(folder / "a.jpg", size=(400, 300)), photo(folder / "b.jpg")
    rows = table(
        {"image": image, "x1": 50, "y1": 40, "x2": 120, "y2": 130, "group": "a", "split": "train", "parent": "p"},
        {"image": image, "x1": 200, "y1": 40, "x2": 260, "y2": 110, "group": "a", "split": "train"},
        {"image": crop, "x2": 60, "y2": 40, "group": "b", "split": "test"},
    ).assign(framing=["labelled", "labelled", "found"])
    found = dataset.backgrounds(rows, each=3, find=finds((100, 200, 200, 290)), seed=seed)
    assert 1 <= len(found) <= 3 and set(found["label"]) == {"not_a_face"}
    assert set(found["image"]) == {image} and set(found["split"]) == {"train"} and set(found["group"]) == {"a"}
    assert set(found["parent"]) == {""}
    mine, faces = found[BOX].to_numpy(), [(50, 40, 120, 130), (200, 40, 260, 110), (100, 200, 200, 290)]
    assert not boxes.iou(mine, np.array(faces, float)).any()
    assert (mine >= 0).all() and (mine[:, [0, 2]] <= 400).all() and (mine[:, [1, 3]] <= 300).all()
    again = dataset.backgrounds(rows[::-1], each=3, find=finds((100, 200, 200, 290)), seed=seed)
    assert again[BOX].equals(found[BOX])


def test_a_photo_that_is_all_face_or_cannot_be_read_has_no_background(tmp_path):
    full = photo(tmp_path / "a.jpg", size=(400, 300))
    rows = table({"image": full, "x2": 400, "y2": 300}, {"image": str(tmp_path / "gone.jpg")})
    assert dataset.backgrounds(rows).empty


@pytest.mark.parametrize(
    ("first", "second", "called"),
    [
        ("/d/train/w/1.jpg", "/d/test/w/1.jpg", ["s/train/w/1.jpg", "s/test/w/1.jpg"]),
        ("/d/w/1.jpg", "/d/w/w/1.jpg", ["s/1.jpg", "s/w/1.jpg"]),
        ("/d/w/1.jpg", "/d/w/1.png", ["s/w/1.jpg", "s/w/1.png"]),
    ],
)
def test_images_of_one_name_have_a_key_each(first, second, called):
    rows = table(*({"image": i, "source": "s"} for i in (first, second, first)))
    assert dataset.keys(rows).tolist() == [*called, called[0]]


# --- leaks ---


def test_leaks_of_pairs_and_of_singles():
    rows = table(*({"image": f"{i}.jpg", "label": classes.NAMES[i // 2 % 2], "group": str(i // 2)} for i in range(200)))
    report = dataset.leaks(dataset.split(rows), share=0.5).set_index("way")
    assert report.loc["random", "share"] == pytest.approx(0.5, abs=0.05)
    assert report.loc["group", "leaked"] == 0 and report.loc["group", "test"] > 20
    single = dataset.leaks(rows.assign(group=rows["image"])).set_index("way")
    assert single.loc["random", "leaked"] == 0 and "group" not in single.index


# --- crops ---


def test_crops_of_nothing():
    assert dataset.crops(table(), margin=0.2, size=32).shape == (0, 32, 32, 3)


def test_crops_are_the_one_crop_in_the_order_of_the_table(tmp_path):
    a, b = photo(tmp_path / "a.jpg", seed=1), photo(tmp_path / "b.jpg", seed=2)
    spots = [(a, 0), (b, 10), (a, 30)]
    rows = table(*({"image": i, "x1": x, "x2": x + 24, "y1": 8, "y2": 40} for i, x in spots))
    cut = dataset.crops(rows, margin=0.25, size=48)
    want = [boxes.crop(images.read(i), np.array([x, 8, x + 24, 40]), margin=0.25, size=48) for i, x in spots]
    assert cut.dtype == np.uint8 and np.array_equal(cut, np.stack(want))


def test_crops_of_a_large_photo_are_decoded_small_and_look_the_same(tmp_path):
    image = photo(tmp_path / "a.png", size=(1600, 1200))
    rows = table({"image": image, "x1": 200, "x2": 1200, "y1": 100, "y2": 1100})
    cut = dataset.crops(rows, margin=0.1, size=32)[0].astype(float)
    whole = boxes.crop(images.read(image), rows[["x1", "y1", "x2", "y2"]].to_numpy()[0], margin=0.1, size=32)
    assert np.abs(cut - whole).mean() < 4


def test_crops_are_kept_until_the_content_changes(tmp_path):
    rows = table({"image": photo(tmp_path / "a.jpg")})
    first = dataset.crops(rows, margin=0.1, size=16, cache=tmp_path / "cache")
    assert np.array_equal(dataset.crops(rows, margin=0.1, size=16, cache=tmp_path / "cache"), first)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    photo(tmp_path / "a.jpg", seed=5)
    assert not np.array_equal(dataset.crops(rows, margin=0.1, size=16, cache=tmp_path / "cache"), first)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_crops_name_the_image_that_cannot_be_read(tmp_path):
    (tmp_path / "bad.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"bad\.jpg"):
        dataset.crops(table({"image": str(tmp_path / "bad.jpg")}), margin=0.1, size=16)


# --- files ---


def test_table_round_trip(tmp_path):
    rows = dataset.group(table({"image": "a.jpg"}, {"image": "b.jpg", "label": "without_mask"}))
    assert dataset.read(dataset.write(rows, tmp_path / "faces.parquet"))["group"].tolist() == rows["group"].tolist()
    with pytest.raises(FileNotFoundError, match="notebook 03"):
        dataset.read(tmp_path / "none.parquet")


def test_a_series_of_one_person_does_not_leave_the_test_without_a_class():
    """Thirteen photos of one bare person and some of others: the choosy deal would put all bare faces into training."""
    rows = [{"image": f"m{i}.jpg", "label": "with_mask", "group": f"m{i}"} for i in range(25)]
    rows += [
        {"image": f"b{i}.jpg", "label": "without_mask", "group": "one" if i < 13 else f"b{i % 2}"} for i in range(25)
    ]
    split = dataset.split(table(*rows), shares=(0.6, 0.15, 0.25), largest=0.3, seed=0)
    assert set(split.loc[split["split"] == "test", "label"]) == {"with_mask", "without_mask"}
    assert dataset.testable(split) is split


def test_a_class_of_one_person_cannot_be_tested_and_says_so():
    rows = [{"image": f"m{i}.jpg", "label": "with_mask", "group": f"m{i}"} for i in range(12)]
    rows += [{"image": f"b{i}.jpg", "label": "without_mask", "group": "me"} for i in range(12)]
    split = dataset.split(table(*rows), seed=0)
    with pytest.raises(ValueError, match="12 without_mask faces belong to 1 people or scenes, too few"):
        dataset.testable(split)
