"""Masked twins of the dedupe room: one face with and without a mask is found by its upper half; strangers are not."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib import boxes, dedupe, faces, images, landmarks, masks


def face(seed: int, *, masked: bool = False, side: int = 120) -> np.ndarray:
    """A made head-and-shoulders picture; the face's box is BOX. Its lower part is covered where masked."""
    rng = np.random.default_rng(seed)
    rgb = cv2.resize(rng.integers(60, 200, (9, 9, 3), np.uint8), (side * 2, side * 2), interpolation=cv2.INTER_CUBIC)
    for _ in range(60):
        at = rng.integers(0, side * 2, 2).tolist()
        cv2.circle(rgb, at, int(rng.integers(3, 14)), rng.integers(0, 255, 3).tolist(), -1, cv2.LINE_AA)
    if masked:
        cv2.rectangle(rgb, (45, 116), (165, 215), (120, 190, 230), -1)
    return rgb


BOX = (60.0, 50.0, 150.0, 170.0)


def table(folder: Path, *rows: tuple[str, np.ndarray | bytes, str], box: tuple[float, ...] = BOX) -> pd.DataFrame:
    said = []
    for name, content, label in rows:
        path = images.write(folder / f"{name}.jpg", content)
        said.append((str(path), *box, label))
    return pd.DataFrame(said, columns=["image", "x1", "y1", "x2", "y2", "label"])


def strangers(folder: Path, n: int = 8) -> pd.DataFrame:
    labels = ("with_mask", "without_mask")
    return table(folder, *((f"s{i}", face(100 + i), labels[i % 2]) for i in range(n)))


def names(twins: pd.DataFrame) -> list[str]:
    return [Path(i).stem for i in twins["image"]]


def test_nothing_one_and_strangers_have_no_twins(tmp_path: Path) -> None:
    for n in (0, 1, 8):
        twins, skipped = dedupe.masked_twins(strangers(tmp_path, n))
        assert twins.empty and not skipped and {"image", "group", "distance", "how", "reason"} <= set(twins.columns)


def test_a_masked_twin_is_found_though_its_box_differs_and_the_bare_one_leads(tmp_path: Path) -> None:
    bare = table(tmp_path, ("bare", face(1), "without_mask"))
    other = table(tmp_path, ("masked", face(1, masked=True), "with_mask"), box=(57, 46, 155, 168))
    turned = table(tmp_path, ("turned", face(1, masked=True)[:, ::-1], "with_mask"), box=(88, 48, 182, 166))
    twins, _ = dedupe.masked_twins(pd.concat([other, strangers(tmp_path), turned, bare]))
    assert names(twins)[0] == "bare" and sorted(names(twins)) == ["bare", "masked", "turned"]
    assert twins["group"].tolist() == [0, 0, 0] and twins["distance"][0] == 0 and twins["distance"].max() < 0.1
    assert dict(zip(names(twins), twins["how"], strict=True)) == {
        "bare": "head", "masked": "twin", "turned": "mirrored twin"
    }  # fmt: skip
    assert "without_mask in bare.jpg" in twins["reason"][1]
    assert dedupe.twin_sheet(twins, columns=3, side=60).shape[1] == 3 * 64 + 4


def test_a_square_box_is_taken_as_hogs(tmp_path: Path) -> None:
    low = (60.0, 78.0, 150.0, 168.0)  # smaller and lower than YuNet's: the mask covers more than half of it
    bare = table(tmp_path, ("bare", face(1), "without_mask"), box=low)
    other = table(tmp_path, ("masked", face(1, masked=True), "with_mask"), box=low)
    twins, _ = dedupe.masked_twins(pd.concat([other, strangers(tmp_path), bare]))
    assert names(twins) == ["bare", "masked"]


def test_one_label_is_no_twin_and_no_label_may_be(tmp_path: Path) -> None:
    for one, two, found in (("with_mask",) * 2 + (0,), ("", "") + (2,), ("", "with_mask", 2)):
        pair = table(tmp_path, ("a", face(1), one), ("b", face(1, masked=True), two))
        assert len(dedupe.masked_twins(pair)[0]) == found


def test_a_bad_file_is_skipped_and_a_tiny_face_left_out(tmp_path: Path) -> None:
    rows = table(tmp_path, ("a", face(1), "without_mask"), ("b", b"hello", "with_mask"), ("c", face(1), "with_mask"))
    twins, skipped = dedupe.masked_twins(rows)
    assert names(twins) == ["a", "c"] and [Path(r["item"]).stem for r in skipped] == ["b"]
    assert dedupe.masked_twins(rows, min_side=100)[0].empty


def test_a_drawn_mask_on_a_real_photo_is_found(shared: Path, weights: Path, tmp_path: Path) -> None:
    find, locate = faces.finder("yunet"), landmarks.finder()
    photos = images.find(shared / "data" / "photos-bare")[:300:20]
    rows, expected = [], 0
    for number, photo in enumerate(photos):
        rgb = images.read(photo)
        seen = find(rgb).xyxy
        box = seen[boxes.area(seen).argmax()]
        rows.append((str(photo), *box, "without_mask"))
        points = locate(rgb, box[None])[0]
        if landmarks.implausible(points, box):
            continue
        made = masks.put_on(rgb, points, rng=number)
        path = images.write(tmp_path / f"{number}.jpg", made.rgb, quality=60)
        again = find(images.read(path)).xyxy
        if len(again):
            rows.append((str(path), *again[boxes.area(again).argmax()], made.label))
            expected += 1
    twins, _ = dedupe.masked_twins(pd.DataFrame(rows, columns=["image", "x1", "y1", "x2", "y2", "label"]))
    assert expected > 8 and twins["group"].nunique() >= expected - 1
    assert (twins.groupby("group").size() == 2).all()
