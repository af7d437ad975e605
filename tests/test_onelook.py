"""The single-shot detector: cells, targets, loss, training that goes on, export, and the runner on LiteRT."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import blots
from hypothesis import given, settings
from hypothesis import strategies as st

from lib import __main__ as main
from lib import boxes, cells, classes, detect, files, images, labels

onelook = pytest.importorskip("lib.train.onelook")
SHAPE = (96, 128)


@st.composite
def face(draw: st.DrawFn, *, shape: tuple[int, int] = (416, 416), least: float = 8.0) -> np.ndarray:
    """A box of at least `least` pixels a side, inside a canvas, of no odder shape than faces have."""
    h, w = shape
    side = draw(st.floats(least, min(shape)))
    wide = min(side * draw(st.floats(1.0, 1.6)), w)
    x, y = draw(st.floats(0, w - wide)), draw(st.floats(0, h - side))
    return np.array([x, y, x + wide, y + side])


def gathered(*, photos: int = 12, size: int = 96, seed: int = 0) -> "onelook.Album":
    """Photos of grain with one square a photo, green for a mask and red for none; a quarter is validation."""
    rng, pictures, rows = np.random.default_rng(seed), [], []
    for i in range(photos):
        rgb = rng.integers(90, 140, (size, size, 3)).astype(np.uint8)
        side = int(rng.integers(24, 48))
        x, y = rng.integers(0, size - side, 2)
        rgb[y : y + side, x : x + side] = ((30, 200, 60), (220, 60, 50))[i % 2]
        pictures.append(rgb)
        box = {"x1": x, "y1": y, "x2": x + side, "y2": y + side, "label": classes.NAMES[i % 2]}
        where = {"source": "photos-labelled", "split": "validation" if i % 4 < 2 and i < photos // 2 else "train"}
        rows.append({"image": i} | box | where)
    return onelook.Album.of(pictures, pd.DataFrame(rows))


# --- cells ------------------------------------------------------------------------------------------------------------


@given(h=st.integers(1, 900), w=st.integers(1, 900), data=st.data())
@settings(deadline=None, max_examples=60)
def test_letterbox_keeps_places_at_any_aspect_ratio(h: int, w: int, data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(64, 64), (96, 128), (160, 96)]))
    canvas, back = cells.letterbox(np.zeros((h, w, 3), np.uint8), shape)
    assert canvas.shape == (*shape, 3)
    inside = (canvas == 0).all(axis=2)
    ends = np.array([inside.any(axis=0).sum(), inside.any(axis=1).sum()])
    assert np.allclose(ends * back[:2], (w, h))
    assert inside[: ends[1], : ends[0]].all() and (canvas[~inside] == cells.GREY).all()
    assert (ends == shape[::-1]).any() or (back <= 0.51).all()
    if min(h, w) > 20:
        assert abs(back[0] / back[1] - 1) < 0.6 / min(ends) + 0.6 / max(ends)


def test_letterbox_shows_the_photo_where_it_says() -> None:
    rgb = np.zeros((300, 500, 3), np.uint8)
    rgb[90:150, 200:260] = 255
    canvas, back = cells.letterbox(rgb, (128, 256))
    y, x = np.nonzero(canvas[..., 0] > 200)
    found = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1]) * back
    assert np.abs(found - [200, 90, 260, 150]).max() < 2 * back.max()


@given(box=face())
@settings(deadline=None)
def test_targets_decode_to_the_box_that_they_came_from(box: np.ndarray) -> None:
    places = cells.points((416, 416))
    wanted = onelook.targets(box[None], np.array([2]), places)
    chosen = np.flatnonzero(wanted[:, 4] >= 0)
    assert len(chosen) and (wanted[chosen, 4] == 2).all() and (wanted[:, 5] == 1).all()
    decoded = cells.decode(np.log(wanted[chosen, :4]), places[chosen])
    assert boxes.iou(decoded, box[None]).min() > 0.85  # the nearest cell of a tiny face may lie on its edge
    inside = (wanted[chosen, :4] > 0.05).all(axis=1)
    assert np.allclose(decoded[inside], box, atol=0.05)


@given(one=face(least=12), other=face(least=12))
@settings(deadline=None)
def test_every_face_has_a_cell_unless_a_smaller_one_hides_it(one: np.ndarray, other: np.ndarray) -> None:
    both = np.stack([one, other])
    wanted = onelook.targets(both, np.array([0, 1]), cells.points((416, 416)))
    area = boxes.area(both)
    small = int(np.flatnonzero(area == area.min())[-1])
    assert (wanted[:, 4] == small).any()
    if boxes.iou(one[None], other[None])[0, 0] == 0:
        assert {0, 1} <= set(wanted[:, 4].astype(int))


def test_ignored_faces_are_neither_taught_nor_background() -> None:
    places = cells.points((128, 128))
    boxed = np.array([[20.0, 20, 60, 60], [80, 80, 120, 120]])
    wanted = onelook.targets(boxed, np.array([onelook.IGNORED, 0]), places)
    inside = (places[:, :2] > 20).all(axis=1) & (places[:, :2] < 60).all(axis=1)
    assert (wanted[inside, 5] == 0).all() and (wanted[inside, 4] == -1).all()
    assert (wanted[:, 4] == 0).any() and (wanted[wanted[:, 4] == 0, 5] == 1).all()
    empty = onelook.targets(np.zeros((0, 4)), np.zeros(0, int), places)
    assert (empty[:, 4] == -1).all() and (empty[:, 5] == 1).all()


def test_suppression_keeps_the_best_of_each_place() -> None:
    xyxy = np.array([[0.0, 0, 10, 10], [1, 0, 11, 10], [40, 40, 50, 50], [0, 0, 10, 10]])
    scores = np.array([0.6, 0.9, 0.5, 0.01])
    assert cells.suppress(xyxy, scores, min_score=0.02, overlap=0.5).tolist() == [1, 2]
    assert cells.suppress(xyxy, scores, min_score=0.95, overlap=0.5).tolist() == []
    assert cells.suppress(xyxy[:0], scores[:0], min_score=0.5, overlap=0.5).tolist() == []
    assert cells.suppress(xyxy, scores, min_score=0.02, overlap=0.5, most=1).tolist() == [1]


@given(seed=st.integers(0, 10_000), n=st.integers(0, 40))
@settings(deadline=None, max_examples=50)
def test_suppression_leaves_no_two_on_one_face_and_none_without_a_reason(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 60, (n, 2))
    xyxy, scores = np.concatenate([start, start + rng.uniform(5, 40, (n, 2))], axis=1), rng.permutation(n) / 100 + 0.1
    kept = cells.suppress(xyxy, scores, min_score=0.0, overlap=0.45)
    assert (np.diff(scores[kept]) < 0).all()
    assert (boxes.iou(xyxy[kept], xyxy[kept]) - np.eye(len(kept)) <= 0.45 + 1e-9).all()
    for i in set(range(n)) - set(kept.tolist()):
        better = kept[scores[kept] > scores[i]]
        assert boxes.iou(xyxy[i : i + 1], xyxy[better]).max() > 0.45


def test_shapes_that_do_not_fit_the_strides_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 32, got"):
        cells.points((100, 128))
    with pytest.raises(ValueError, match="multiples of 32"):
        onelook.LookPlan(size=100)


# --- what is shown ----------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 5000))
@settings(deadline=None, max_examples=40)
def test_boxes_stay_on_their_squares_whatever_happens_to_the_photo(seed: int) -> None:
    album = ALBUM
    rgb, xyxy, labels = onelook.canvas(album, 128, rng=np.random.default_rng(seed))
    again = onelook.canvas(album, 128, rng=np.random.default_rng(seed))
    assert rgb.shape == (128, 128, 3) and rgb.dtype == np.uint8 and len(xyxy) == len(labels)
    assert np.array_equal(rgb, again[0]) and np.array_equal(xyxy, again[1])
    assert (xyxy >= 0).all() and (xyxy <= 128).all()
    for box, label in zip(xyxy, labels, strict=True):
        x1, y1, x2, y2 = box.round().astype(int)
        if label == onelook.IGNORED or min(x2 - x1, y2 - y1) < 12:
            continue
        middle = rgb[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].reshape(-1, 3).mean(axis=0)
        if np.ptp(middle) > 25:  # not shown grey
            assert int(middle.argmax()) == (1, 0)[label]


ALBUM = gathered()


def test_an_album_of_own_photos_keeps_boxes_on_their_faces(tmp_path: Path) -> None:
    rows = []
    for i, (w, h) in enumerate(((900, 600), (80, 120))):
        rgb = np.zeros((h, w, 3), np.uint8)
        rgb[h // 4 : h // 2, w // 3 : w // 2] = 255
        images.write(tmp_path / f"{i}.png", rgb)
        box = dict(zip(("x1", "y1", "x2", "y2"), (w // 3, h // 4, w // 2, h // 2), strict=True))
        where = {"image": str(tmp_path / f"{i}.png"), "label": "with_mask", "source": "mine", "split": "validation"}
        rows.append(box | where)
    album = onelook.Album.read(pd.DataFrame(rows), max_side=300)
    assert [album.rgb(i).shape for i in (0, 1)] == [(200, 300, 3), (120, 80, 3)]
    for i in (0, 1):
        (x1, y1, x2, y2), rgb = album.boxes[i][0].round().astype(int), album.rgb(i)
        assert rgb[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1].min() > 200 and (rgb > 128).mean() < 0.06
    assert onelook.truth(album)["image"].tolist() == [row["image"] for row in rows]


def test_validation_photos_are_never_shown() -> None:
    album = dataclasses.replace(ALBUM, pixels=ALBUM.pixels.copy())
    for i in np.flatnonzero(album.splits == "validation"):
        start, h, w = album.places[i]
        album.pixels[start : start + h * w * 3] = 0
    for seed in range(10):
        shown = [onelook.canvas(a, 96, rng=np.random.default_rng(seed))[0] for a in (album, ALBUM)]
        assert np.array_equal(*shown)


def test_an_epoch_is_the_same_with_any_count_of_workers() -> None:
    plan = dataclasses.replace(TINY, size=64, canvases=9, batch=3)
    one, two = (onelook.canvases(ALBUM, plan, epoch=1, workers=n) for n in (1, 2))
    assert (one.workers, two.workers, len(one)) == (1, 2, 3)
    for i in (2, 0, 1):  # in any order
        assert all(np.array_equal(a, b) for a, b in zip(one[i], two[i], strict=True))
    assert not np.array_equal(one[0][0], onelook.canvases(ALBUM, plan, epoch=2)[0][0])


@given(length=st.integers(1, 500), room=st.integers(4, 420), scale=st.floats(0.02, 2.0), data=st.data())
@settings(deadline=None)
def test_the_part_that_is_shown_fits_photo_and_tile_and_holds_the_face(
    length: int, room: int, scale: float, data: st.DataObject
) -> None:
    start = data.draw(st.floats(0, length - 0.5))
    face = np.array([start, data.draw(st.floats(start, length))])
    begins, place, cut, wide = onelook.shown._part(face, length, room, scale=scale, rng=np.random.default_rng(1))
    assert begins >= 0 and cut >= 1 and begins + cut <= length
    assert place >= 0 and wide >= 1 and place + wide <= room
    assert abs(wide - cut * scale) <= max(scale, 1)
    if face[1] - face[0] <= cut - 1:
        assert begins <= face[0] + 1 and face[1] - 1 <= begins + cut


# --- loss -------------------------------------------------------------------------------------------------------------


def said_of(wanted: np.ndarray, *, sure: float = 6.0) -> np.ndarray:
    """What a network says that knows the targets (cells, 6)."""
    there = wanted[:, 4:5] >= 0
    named = np.eye(3)[wanted[:, 4].clip(0).astype(int)] * sure
    return np.concatenate([np.where(there, sure, -sure), np.log(wanted[:, :4]), named], axis=1)


def test_the_loss_is_least_for_what_is_true() -> None:
    wanted = onelook.targets(np.array([[20.0, 24, 60, 70]]), np.array([1]), cells.points(SHAPE))
    right = said_of(wanted)
    least = float(onelook.loss(wanted[None], right[None].astype(np.float32)))
    for place, change in (((slice(None), 0), -12.0), ((slice(None), 1), 1.0), ((slice(None), 6), -12.0)):
        wrong = right.copy()
        wrong[place] += np.where(wanted[:, 4] >= 0, change, 0)
        assert float(onelook.loss(wanted[None], wrong[None].astype(np.float32))) > least + 0.1
    ghost = right.copy()
    ghost[np.flatnonzero(wanted[:, 4] < 0)[:20], 0] = 6.0
    assert float(onelook.loss(wanted[None], ghost[None].astype(np.float32))) > least + 0.1
    wanted[wanted[:, 4] < 0, 5] = 0  # the same where nothing is known
    assert float(onelook.loss(wanted[None], ghost[None].astype(np.float32))) == pytest.approx(least, abs=0.02)


def test_an_empty_canvas_has_a_loss_that_is_a_number() -> None:
    wanted = onelook.targets(np.zeros((0, 4)), np.zeros(0, int), cells.points(SHAPE))
    assert 0 <= float(onelook.loss(wanted[None], said_of(wanted)[None].astype(np.float32))) < 0.1


# --- network, export, runner ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def exported(look_by_chance: tuple) -> tuple[object, Path]:
    """A network of chance, and its card."""
    return look_by_chance


def photos(n: int, *, seed: int = 0) -> np.ndarray:
    return blots(n, SHAPE, seed=seed)


@pytest.mark.slow
def test_keras_float_and_int8_say_the_same(exported: tuple, tmp_path: Path) -> None:
    network, card = exported
    shown = photos(6, seed=1)
    exact = network.predict(shown, batch_size=6, verbose=0)
    for kind, limit in (("float16", 0.02), ("tflite", 0.35)):
        runner = detect.OneLook.load(card, kind=kind, threads=1)
        said = np.concatenate(runner._run(shown), axis=2)
        spread = exact.reshape(-1, 8).std(axis=0)
        off = np.abs(said - exact).reshape(-1, 8).mean(axis=0)
        assert (off < limit * spread + 1e-3).all(), (kind, off, spread)
    kept = json.loads(card.read_text())
    assert kept["files"]["tflite"]["bytes"] < kept["files"]["float16"]["bytes"]


@pytest.mark.slow
def test_one_photo_or_many_and_of_any_size_give_the_same(exported: tuple) -> None:
    runner = detect.load(exported[1], threads=1)
    assert isinstance(runner, detect.OneLook)
    many = [photos(1, seed=i)[0][: 40 + 10 * i, : 120 - 20 * i] for i in range(5)]
    together = runner.many(many)
    for rgb, found in zip(many, together, strict=True):
        alone, times = runner.timed(rgb)
        assert np.allclose(alone.xyxy, found.xyxy) and set(times) == {"letterbox", "network", "boxes"}
        h, w = rgb.shape[:2]
        assert (found.xyxy >= 0).all() and (found.xyxy <= [w, h, w, h]).all()
        assert np.allclose(found.data["probabilities"].sum(axis=1), 1, atol=1e-5)
        assert (np.diff(found.data["face_score"]) <= 0).all()
        rows = runner.rows(found, threshold=0.1)
        assert all(len(row) == 6 and row[4] >= 0.1 and row[5] in classes.NAMES for row in rows)
    assert sum(map(len, together)) > 0
    assert runner.many([]) == []


@pytest.mark.slow
def test_the_runner_says_what_it_cannot_use(exported: tuple, tmp_path: Path) -> None:
    card = exported[1]
    runner = detect.OneLook.load(card, min_score=0.9999)
    assert len(runner(np.full((50, 70, 3), 128, np.uint8))) == 0
    assert runner.answers(np.full((1, 1, 3), 9, np.uint8)) == []
    for bad in (np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(ValueError, match="rgb: must be uint8"):
            runner(bad)
    with pytest.raises(ValueError, match="finds faces by itself"):
        detect.load(card, find=lambda rgb: None)
    damaged = tmp_path / "look.json"
    damaged.write_text(card.read_text())
    (tmp_path / "look.tflite").write_bytes(b"no model")
    with pytest.raises(detect.ModelDamaged, match="fetch it again"):
        detect.OneLook.load(damaged)


@given(w=st.integers(1, 900), h=st.integers(1, 900), most=st.integers(1, 5))
@settings(deadline=None, max_examples=60)
def test_tiles_cover_a_photo_and_overlap(w: int, h: int, most: int) -> None:
    windows = cells.windows((w, h), SHAPE, most=most)
    assert windows[0].tolist() == [0, 0, w, h] and len(windows) <= 1 + most * most
    assert (windows >= 0).all() and (windows[:, 2:] <= (w, h)).all()
    assert len(windows) == 1 or most > 1 and (w > SHAPE[1] or h > SHAPE[0])
    if len(windows) > 1:
        covered = np.zeros((h, w), bool)
        for x1, y1, x2, y2 in windows[1:]:
            covered[y1:y2, x1:x2] = True
        columns = sorted({(x1, x2) for x1, _, x2, _ in windows[1:].tolist()})
        assert covered.all() and all(b[0] < a[1] for a, b in zip(columns, columns[1:], strict=False))


class Sees(detect.OneLook):
    """Finds bright squares of at least 8 pixels of its canvas, as a network would that has learnt nothing else."""

    def _run(self, canvases: np.ndarray) -> list[np.ndarray]:
        import cv2

        face = np.full((len(canvases), len(self._cells), 1), -9.0, np.float32)
        box, answer = np.zeros((*face.shape[:2], 4), np.float32), np.zeros((*face.shape[:2], 3), np.float32)
        for i, canvas in enumerate(canvases):
            for x, y, w, h, _ in cv2.connectedComponentsWithStats((canvas[..., 0] > 200).astype(np.uint8))[2][1:]:
                if min(w, h) >= 8:
                    cell = np.abs(self._cells[:, :2] - (x + w / 2, y + h / 2)).max(axis=1).argmin()
                    near = cells.distances(np.array([[x, y, x + w, y + h]], float), self._cells[cell : cell + 1])
                    face[i, cell], box[i, cell] = 4.0, np.log(near.clip(1e-3))[0]
        return [face, box, answer]


@pytest.mark.slow
def test_tiles_find_what_is_too_small_for_one_look_and_each_face_once(exported: tuple) -> None:
    rgb = np.zeros((300, 380, 3), np.uint8)
    truth = np.array([[20, 20, 36, 36], [180, 140, 196, 156], [300, 240, 360, 298], [0, 280, 16, 296]])
    for x1, y1, x2, y2 in truth:
        rgb[y1:y2, x1:x2] = 255
    alone, tiled = (Sees.load(exported[1], tiles=n) for n in (1, 3))
    assert len(alone(rgb)) == 1
    found, times = tiled.timed(rgb)
    assert len(found) == 4 and set(times) == {"letterbox", "network", "boxes"}
    assert (boxes.iou(truth.astype(float), found.xyxy).max(axis=1) > 0.6).all()
    both = tiled.many([rgb, rgb[:60, :80]])
    assert np.allclose(both[0].xyxy, found.xyxy) and len(both[1]) == len(alone(rgb[:60, :80])) == 1
    with pytest.raises(ValueError, match="tiles: must be at least 1, got 0"):
        detect.OneLook.load(exported[1], tiles=0)


@pytest.mark.slow
def test_evaluate_measures_one_look_end_to_end(
    exported: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(detect, "OneLook", Sees)
    for i, side in enumerate((30, 40, 50)):
        rgb = np.zeros((90, 120, 3), np.uint8)
        rgb[20 : 20 + side, 30 : 30 + side] = 255 if i else 0  # the first is not to be seen
        images.write(tmp_path / "sets" / f"{i}.png", rgb)
        box = {"x1": 30.0, "y1": 20.0, "x2": 30.0 + side, "y2": 20.0 + side, "label": "with_mask"}
        faces = labels.table([{"image": str(tmp_path / "sets" / f"{i}.png")} | box])
        labels.write_voc(tmp_path / "sets" / f"{i}.xml", faces, size=(120, 90))
    told = ["evaluate", "--data", str(tmp_path / "sets"), "--detector", str(exported[1])]
    assert main.start([*told, "--json", str(tmp_path / "said.json")]) == 0
    assert "faces found 0.667, found rightly 1.000" in capsys.readouterr().out
    said = json.loads((tmp_path / "said.json").read_text())
    assert said["average_precision"]["ap50"]["with_mask"] == pytest.approx(2 / 3, abs=0.01)
    assert said["detected"]["confusion"]["with_mask"] == [2, 0, 0, 0, 1] and set(said["milliseconds"]) >= {"network"}
    assert main.start([*told, "--finder", "hog"]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_a_classifier_is_no_one_look() -> None:
    with pytest.raises(ValueError, match="network"):
        detect.OneLook({"network": "mobilenet_v2", "input_size": [32, 32]}, b"")
    with pytest.raises(ValueError, match="names no crops"):
        detect.Classifier({"network": "one_look", "name": "look", "classes": [], "input_size": [32, 32]}, b"")


# --- training ---------------------------------------------------------------------------------------------------------

TINY = onelook.LookPlan(size=96, shape=SHAPE, width=8, weights=None, epochs=3, canvases=16, batch=4, rate=2e-3)


@pytest.mark.slow
def test_a_killed_training_ends_as_one_that_was_not(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def until(epoch: int, rows: list[dict]) -> Callable[[dict], None]:
        def kill(row: dict) -> None:
            rows.append(row)
            if row["epoch"] == epoch:
                raise Killed

        return kill

    def judge(truth: pd.DataFrame, answers: dict) -> dict[str, float | None]:
        assert set(answers) == set(truth["image"])
        return {"map50": 0.5, "precision": None}  # as where nothing is found

    whole: list[dict] = []
    for folder, end in (("a", 3), ("b", 2)):
        with pytest.raises(Killed):
            kill = until(end, whole if folder == "a" else [])
            onelook.fit_look(ALBUM, into=tmp_path / folder, name="look", plan=TINY, on_epoch=kill, judge=judge)
    done = onelook.fit_look(ALBUM, into=tmp_path / "b", name="look", plan=TINY, judge=judge)
    same = ["epoch", "loss", "val_loss"]
    pd.testing.assert_frame_equal(pd.DataFrame(whole)[same], done.history[same], rtol=1e-3)
    assert sorted(p.name for p in (tmp_path / "b").iterdir()) == sorted(
        ["look.keras", "look.tflite", "look-float16.tflite", "look.json", "look.csv"]
    )
    card = done.card
    assert card["input_size"] == list(SHAPE) and card["network"] == "one_look" and len(card["bias"]) == 3
    assert card["files"]["tflite"]["sha256"] == files.sha256(tmp_path / "b" / "look.tflite")
    assert isinstance(detect.load(tmp_path / "b" / "look.json"), detect.OneLook)


def test_the_plan_is_changed_in_words() -> None:
    plan = onelook.changed(onelook.LookPlan(), "epochs=3 shape=[96,128] rate=1e-4")
    assert (plan.epochs, plan.shape, plan.rate) == (3, (96, 128), 1e-4)
    for words, reason in (("epoch=3", "no field"), ("epochs=many", "wants a number"), ("epochs=0", "at least 1")):
        with pytest.raises(ValueError, match=reason):
            onelook.changed(onelook.LookPlan(), words)


def test_the_command_wants_a_cache(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main.start(["train", "--detector", "one-look", "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "--cache" in capsys.readouterr().err
