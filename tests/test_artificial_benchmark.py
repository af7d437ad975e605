"""The benchmark of artificial masks: who may train, who may not, on tables made up here."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from benchmarks.artificial import building, pictures, scoring, sources, tables
from benchmarks.artificial.tables import ARMS, Counts

from lib import batch, boxes, images, masks
from lib.classes import NAMES
from lib.train import drawing

WITH, WITHOUT, WRONG = NAMES
SOURCES = ("faces-4k", "photos-bare/obs", "photos-bare/ilc", "photos-bare/spt", "photos-labelled")


def row(image, label=WITHOUT, *, box=(10, 10, 60, 60), unit=None):
    source = image.split("/")[0]
    corners = dict(zip(tables.BOX, map(float, box), strict=True))
    same = {"unit": unit or image, "copies": f"/d/{image}"}
    return {"image": f"/d/{image}", "label": label, "source": source} | same | corners


def crowd(each=40):
    """Bare faces and faces with a mask of every source, two of one person a unit."""
    rows = []
    for source in SOURCES:
        folder, _, stem = source.partition("/")
        for i in range(each):
            unit = f"{source} {i // 2}"
            rows.append(row(f"{folder}/{stem or folder}-b{i}.jpg", unit=unit))
            if folder != "photos-bare":
                rows.append(row(f"{folder}/{stem or folder}-m{i}.jpg", (WITH, WRONG)[i % 4 == 0], unit=unit))
    return pd.DataFrame(rows)


@pytest.fixture
def unpainted(monkeypatch):
    """Pictures of nothing, a crop a wish: what is tested here is who is drawn on."""

    def draw(jobs, draw, executor, progress):
        told = [(i, w) for i, (*_, wanted) in enumerate(jobs) for w in wanted]
        label = {"as it is": "", "placed": "", "flat": WITH, "mask": None, "lookalike": WITHOUT}
        words = [[label[w.kind] if w.kind != "mask" else masks.WEARS[w.wear], w.name, w.wear] for _, w in told]
        crops = np.zeros((len(told), 4, 4, 3), np.uint8)
        none = {"reasons": np.array([], str), "times": np.array([], int)}
        return {"of": np.array([i for i, _ in told], int), "crops": crops, "words": np.array(words, str)} | none

    monkeypatch.setattr(drawing, "_arrays", draw)
    monkeypatch.setattr(drawing, "_key", lambda jobs, draw: images.sha256(repr((jobs, draw)).encode())[:20])


@pytest.mark.parametrize("test", ["photos-853", "faces-4k"])
@pytest.mark.parametrize("name", ARMS)
def test_no_arm_breaks_a_rule(name, test, tmp_path, unpainted):
    faces = crowd()
    listed = pd.DataFrame(
        {"file": ["photos-labelled/photos-labelled-b3.jpg", "photos-bare/spt-b5.jpg"], "kind": ["hand", "beard"]}
    )
    away = tables.outlay(faces, listed, "/d")
    rows = tables.pool(faces, test, away=away)
    table, crops, _ = building.build(ARMS[name], rows, Counts(60, 0.25, 30, 10), cache=tmp_path)
    assert len(table) == len(crops) and len(table) > 40
    assert set(table["label"]) == ({WITH, WITHOUT} if ARMS[name].wears == (WITH,) else set(NAMES))
    out = set(faces.loc[away, "image"])
    assert len(out) == 3  # the hand alone; the beard with the other photo of its person
    assert not building.broken(table, arm=ARMS[name], away=out, tested={test})
    masked = table[table["label"] != WITHOUT]
    assert (masked["parent"] != "").all() == (name != "real")
    if name != "real":
        assert not masked["image"].str.contains("-m").any()
        assert not set(masked["unit"]) & set(table.loc[table["label"] == WITHOUT, "unit"])
    assert set(table["part"]) == {"train", "validation"}


def test_broken_names_every_rule():
    good = pd.DataFrame([row("photos-bare/ilc-1.jpg"), row("photos-bare/spt-2.jpg", WITH)])
    good = good.assign(part="train", parent=["", "/d/photos-bare/spt-2.jpg"])
    told = lambda table: building.broken(table, arm=ARMS["artificial"], away={"/d/q.jpg"}, tested={"faces-4k"})  # noqa: E731
    assert told(good) == []
    assert told(good.assign(parent="")) == ["a real face with a mask"]
    assert told(good.assign(unit="one")) == ["a parent of a positive is a bare negative"]
    assert told(good.assign(part="dev")) == ["a face that was held out"]
    assert "a look-alike that is tested on" in told(good.assign(image=["/d/q.jpg", good["image"][1]]))
    assert "a face of an origin that is tested on" in told(good.assign(image=["/d/obs-1.jpg", good["image"][1]]))
    copy = good.assign(image=["/d/augmented_image_1.jpg", good["image"][1]])
    assert told(copy) == ["a turned copy"]
    twice = pd.concat([good, good.assign(part="validation")])
    assert told(twice) == ["one unit in training and validation"]


def test_origins_and_twins_of_tested_photos_stay_out():
    faces = crowd()
    faces.loc[faces["image"] == "/d/photos-bare/spt-b0.jpg", "unit"] = "faces-4k 0"  # a twin of a tested picture
    rows = tables.pool(faces, "faces-4k")
    assert set(tables.origins(rows)) == {"ilc", "spt"}
    assert "/d/photos-bare/spt-b0.jpg" not in set(rows["image"])
    copy = pd.concat([faces, pd.DataFrame([row("faces-4k/augmented_image_3.jpg")])])
    assert "/d/faces-4k/augmented_image_3.jpg" not in set(tables.pool(copy, "photos-853")["image"])


def test_dev_is_real_labelled_large_and_nobody_trains_on_it():
    rows = tables.pool(crowd(), "photos-853")
    held = tables.development(rows)
    assert set(held["label"]) == set(NAMES) and set(tables.origins(held)) == {"ilc"}
    assert not set(held["unit"]) & set(rows.loc[rows["part"] != "dev", "unit"])
    small = rows.assign(x2=rows["x1"] + 12)
    assert not len(tables.development(small))


def test_a_bare_face_beside_a_real_mask_is_no_parent_and_no_negative():
    rows = pd.DataFrame([row("photos-labelled/1.jpg"), row("photos-labelled/1.jpg", WITH, box=(50, 12, 80, 60))])
    far = pd.DataFrame([row("photos-labelled/2.jpg"), row("photos-labelled/2.jpg", WITH, box=(300, 12, 330, 60))])
    rows = pd.concat([rows, far], ignore_index=True).assign(part="train", parent_side=True)
    assert tables.bare(rows)[0]["image"].tolist() == ["/d/photos-labelled/2.jpg"]


def test_copies_of_a_listed_face_stay_out_and_a_beard_takes_its_person_along():
    faces = pd.DataFrame([row(f"photos-bare/spt-{i}.jpg", unit="he") for i in range(4)])
    faces["copies"] = ["one", "one", "two", "three"]
    hand, beard = (pd.DataFrame({"file": ["photos-bare/spt-0.jpg"], "kind": [kind]}) for kind in ("hand", "beard"))
    assert tables.outlay(faces, hand, "/d").tolist() == [True, True, False, False]
    assert tables.outlay(faces, beard, "/d").all()
    assert not tables.outlay(faces, hand[:0], "/d").any()


def test_a_listed_picture_without_a_box_takes_the_face_that_was_found(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("file,x1,y1,x2,y2,kind,note\na/1.jpg,,,,,hand,\na/2.jpg,1,2,3,4,beard,x\n")
    listed = sources.listed(path)
    known = pd.DataFrame([row("a/1.jpg", box=(5, 6, 7, 8))])
    assert sources.lookalikes(listed, known, Path("/d"))[tables.BOX].to_numpy().tolist() == [[5, 6, 7, 8], [1, 2, 3, 4]]
    with pytest.raises(ValueError, match="a/1.jpg"):
        sources.lookalikes(listed, known[:0], Path("/d"))
    assert not len(sources.listed(tmp_path / "none.csv"))


def test_doubtful_bare_faces_are_not_used():
    rows = pd.DataFrame([row("photos-worn-incorrectly/1.jpg")]).assign(part="train", parent_side=False)
    assert not len(tables.bare(rows)[1])


def test_counts_keep_their_shares_in_a_trial():
    assert Counts(100, 0.25, 60, 40).limited(20) == Counts(10, 0.25, 6, 4)
    assert Counts(1, 0.25, 1, 1).limited(None) == Counts(1, 0.25, 1, 1)


def test_wishes_keep_to_the_arm_and_know_no_other_chance():
    rng = lambda: np.random.default_rng(0)  # noqa: E731
    made = pictures.wishes(ARMS["artificial"], count=400, wrong=0.25, rng=rng())
    assert made == pictures.wishes(ARMS["artificial"], count=400, wrong=0.25, rng=rng())
    wrong = sum(masks.WEARS[w.wear] == WRONG for w in made)
    assert 60 < wrong < 140 and len({w.name for w in made}) > 12
    blue = pictures.wishes(ARMS["no-style-variety"], count=50, wrong=0.25, rng=rng())
    assert {w.name for w in blue} == {"surgical-blue"} and len({w.wear for w in blue}) > 1
    assert {w.wear for w in pictures.wishes(ARMS["no-wears"], count=50, wrong=0.25, rng=rng())} == {WITH}
    assert {w.kind for w in pictures.wishes(ARMS["one-blue"], count=5, wrong=0.25, rng=rng())} == {"flat"}


def test_the_flat_mask_is_blue_between_nose_and_chin_and_nowhere_else():
    rgb = np.full((200, 200, 3), 128, np.uint8)
    points = np.full((68, 2), 100.0)
    points[28], points[8], points[2], points[14] = (100, 80), (100, 160), (55, 110), (145, 110)
    out = pictures.paste_flat(rgb, points)
    changed = np.argwhere((out != rgb).any(2))
    assert out[110, 100].tolist() == [124, 183, 216]
    assert changed[:, 0].min() >= 79 and changed[:, 0].max() <= 161 and changed[:, 1].min() >= 44
    turned = pictures.paste_flat(cv2.rotate(rgb, cv2.ROTATE_90_CLOCKWISE), points[:, ::-1] * (-1, 1) + (200, 0))
    same = (cv2.rotate(out, cv2.ROTATE_90_CLOCKWISE).astype(int) - turned).any(2).mean()
    assert same < 0.05


def test_unlit_holds_within_and_ends(monkeypatch):
    from lib.masks import light

    before = light.estimate, light.blur, light.grain
    with pictures.unlit():
        assert light.blur(None, None) == 0.4 and light.grain(None, None) == 0
        assert light.estimate is not before[0]
    assert (light.estimate, light.blur, light.grain) == before


def test_figures_read_three_classes_and_two():
    table = pd.DataFrame({"label": [WITH, WITH, WITHOUT, WRONG], "unit": list("abcd")})
    told = scoring.figures(table, np.array([[0.9, 0.1, 0], [0.3, 0.1, 0.6], [0.1, 0.9, 0], [0, 0.2, 0.8]]))
    assert told["balanced_accuracy"] == 0.75 and told["two_class"] == 1.0
    assert told["recall"][WRONG] == 1.0 and told["precision_worn_incorrectly"] == 0.5


def test_false_masks_by_kind():
    table = pd.DataFrame({"kind": ["hand", "hand", "beard"], "unit": list("abc")})
    told = scoring.false_masks(table, np.array([[0.9, 0.1, 0], [0.1, 0.9, 0], [0.1, 0.3, 0.6]]))
    assert told["false_mask_rate"] == 0.3333 and told["worn_incorrectly_rate"] == 0.3333
    assert told["by_kind"] == {"beard": [0, 1], "hand": [1, 2]}


def test_arms_differ_in_one_thing_each():
    whole = dataclasses.asdict(ARMS["artificial"])
    for name in ("no-style-variety", "no-light", "no-wears", "no-lookalikes"):
        assert sum(whole[k] != v for k, v in dataclasses.asdict(ARMS[name]).items()) == 1, name


def test_the_part_around_a_face_holds_it_and_all_that_a_wide_crop_shows():
    rgb = np.random.default_rng(0).integers(0, 255, (400, 300, 3)).astype(np.uint8)
    face = np.array([120.0, 150.0, 160.0, 200.0])
    part, box = drawing._part(rgb, face)
    assert part.shape[0] < 200
    wide = [boxes.crop(p, b, margin=0.6, size=64) for p, b in ((rgb, face), (part, box))]
    assert (wide[0] == wide[1]).all()


def test_what_lies_outside_the_networks_view_is_not_seen():
    mask, box = np.zeros((200, 200), np.uint8), np.array([50.0, 50.0, 100.0, 100.0])
    assert not drawing._seen(mask, box)
    mask[150:190, 50:100] = masks.FABRIC
    assert not drawing._seen(mask, box)
    mask[85:110, 60:90] = masks.FABRIC
    assert drawing._seen(mask, box)


def test_what_stays_bare_is_chosen_by_the_rule_that_masks_are_drawn_by(tmp_path, monkeypatch):
    nowhere = lambda rgb, xyxy: np.full((1, 68, 2), np.nan)  # noqa: E731
    monkeypatch.setattr(drawing, "_locator", lambda: nowhere)
    photo = images.write(tmp_path / "a.png", np.full((90, 80, 3), 128, np.uint8))
    job = (0, str(photo), (20.0, 20.0, 60.0, 70.0))
    assert len(pictures.Draw()((*job, (drawing.Wish("as it is", "", "", 1),)))[1]) == 1
    with pytest.raises(batch.Skip, match="do not settle"):
        pictures.Draw()((*job, (drawing.Wish("placed", "", "", 1),)))


def test_a_share_of_masks_is_seen_together_with_what_is_no_mask():
    drawn = pictures.wishes(ARMS["artificial"], count=600, wrong=0.2, rng=np.random.default_rng(0))
    beside = [w for w in drawn if w.beside]
    assert 0.1 < len(beside) / len(drawn) < 0.3 and {w.beside for w in beside} == {*masks.UNDER, *masks.BEFORE}
    assert all(w.beside in masks.UNDER for w in beside if w.wear != WITH)
    plain = pictures.wishes(ARMS["no-lookalikes"], count=200, wrong=0.2, rng=np.random.default_rng(0))
    assert not any(w.beside for w in plain)


def test_the_table_has_a_row_for_each_arm_that_was_tested_and_the_mean_of_its_seeds():
    right = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7], [0.1, 0.8, 0.1]])
    half = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1], [0.1, 0.7, 0.2], [0.6, 0.3, 0.1]])
    faces = pd.DataFrame({"label": [WITH, WITHOUT, NAMES[2], WITHOUT], "unit": list("abcd")})
    good, poor = (scoring.figures(faces, probabilities) for probabilities in (right, half))
    runs = [{"test": good, "dev": good, "faces_an_epoch": 9}, {"test": poor, "dev": good, "faces_an_epoch": 9}]
    report = {"how": "so", "plan": {}, "photos-853": {"real": runs, "only-dev": [{"dev": good}]}}
    (row,) = scoring.table(report)
    assert (row["test"], row["arm"], row["faces that teach"], row["seeds"]) == ("photos-853", "real", 9, 2)
    assert row["balanced accuracy"] == 0.875 and row["seeds from, to"] == [0.75, 1.0] and row["dev"] == 1.0
    assert row["incorrect, recall"] == 0.5 and row["incorrect, precision"] == 1.0  # the poor one never said it
    assert row["look-alikes masked"] is None
