import json
import logging
from typing import Any

import numpy as np
import pytest
import supervision as sv
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lib import __main__ as main
from lib import assets, boxes, detect, faces, images, sample
from lib.detect import finding

RGB = np.zeros((200, 300, 3), np.uint8)


def seen(*rows: tuple[float, float, float, float, float]) -> Any:
    """A finder that always sees these: x1, y1, x2, y2, score."""
    table = np.array(rows, float).reshape(-1, 5)
    return lambda rgb: sv.Detections(xyxy=table[:, :4], confidence=table[:, 4])


def together(first: Any, second: Any, min_score: float = 0.0) -> Any:
    return finding.Together(first, second, min_score=min_score)(RGB)


def test_a_face_that_both_see_lies_between_their_boxes_and_is_surer_than_to_either() -> None:
    found = together(seen((10, 10, 50, 50, 0.6)), seen((12, 10, 52, 60, 0.5)))
    assert found.xyxy.tolist() == [[11, 10, 51, 55]]
    assert found.confidence.tolist() == pytest.approx([0.8])


def test_what_only_one_sees_stays_and_counts_less() -> None:
    found = together(seen((10, 10, 50, 50, 0.6)), seen((100, 10, 150, 60, 0.5)))
    assert found.xyxy[:, 0].tolist() == [10, 100]
    assert found.confidence.tolist() == pytest.approx([0.54, 0.45])


def test_a_doubtful_face_counts_where_the_other_doubts_it_as_well() -> None:
    one, other = seen((10, 10, 50, 50, 0.5)), seen((10, 10, 50, 50, 0.4))
    assert len(together(one, other, 0.65)) == 1
    assert len(together(one, seen(), 0.65)) == len(together(seen(), other, 0.65)) == 0


def test_two_neighbours_stay_two() -> None:
    """A box meets one of the other finder's, so a crowd does not melt into one face."""
    crowd = seen((10, 10, 50, 50, 0.9), (26, 10, 66, 50, 0.8))
    assert len(together(crowd, seen((14, 10, 54, 50, 0.9)))) == 2
    assert len(together(seen((14, 10, 54, 50, 0.9)), crowd)) == 2


box = st.tuples(st.floats(0, 250), st.floats(0, 150), st.floats(5, 50), st.floats(5, 50), st.floats(0.02, 1))
some = st.lists(box.map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3], b[4])), max_size=6)


@given(some, some)
def test_nobody_is_lost_and_nobody_made_up(one: list, other: list) -> None:
    found = together(seen(*one), seen(*other))
    assert max(len(one), len(other)) <= len(found) <= len(one) + len(other)
    if not len(found):
        return
    scores = found.confidence
    assert (np.diff(scores) <= 0).all() and (scores >= 0.018 - 1e-9).all() and (scores <= 1).all()
    given_ = np.array([*one, *other])[:, :4]
    assert (boxes.iou(found.xyxy, given_).max(axis=1) > 0.4).all()


def test_without_yunet_one_look_finds_alone_and_asks_for_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def nothing(*names: str, **options: object) -> None:
        raise assets.AssetMissing("not here")

    monkeypatch.setattr(faces, "finder", nothing)
    caplog.set_level(logging.INFO)
    find = detect.finder()
    assert find.name == "one-look" and find.min_score == finding.ALONE
    assert "one look finds the faces alone: not here" in caplog.text
    assert len(find(RGB)) == 0


def test_without_one_look_a_face_finder_works_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*names: str, **options: object) -> None:
        raise assets.AssetMissing("not here")

    monkeypatch.setattr(detect.OneLook, "load", nothing)
    asked = []
    monkeypatch.setattr(faces, "finder", lambda name, **how: asked.append((name, how)) or seen())
    detect.finder(max_side=480)
    assert asked == [("auto", {"min_score": None, "max_side": 480})]


def test_each_finder_is_to_be_had_by_its_name(weights: object) -> None:
    both, quick = detect.finder(), detect.finder(max_side=480, min_score=0.02)
    assert (both.name, both.max_side, both.min_score) == ("both", 1280, finding.MIN_SCORE)
    assert (quick.max_side, quick.min_score) == (480, 0.02)
    assert repr(both) == "Together(min_score=0.65, max_side=1280)"
    for name in detect.FINDERS:
        try:
            assert detect.finder(name).name == name
        except assets.AssetMissing:
            assert name in ("res10", "hog")
    with pytest.raises(ValueError, match="unknown name 'eyes'; known are auto, both, one-look, yunet"):
        detect.finder("eyes")


def test_the_command_line_offers_every_finder() -> None:
    for command in (main.detect, main.serve, main.evaluate):
        offered = next(p.type.choices for p in command.params if p.name == "finder")
        assert tuple(offered) == detect.FINDERS


def test_a_detector_has_a_name() -> None:
    assert detect.chosen(None) == ("full", None)
    assert detect.chosen(None, "small", "hog") == ("small", "hog")
    assert detect.chosen("both") == ("full", "both")
    assert detect.chosen("yunet+mobilenet", "small") == ("small", "yunet")
    assert detect.chosen("one-look") == ("one-look", None)
    for model, finder, words in ((None, "hog", "a finder"), ("small", "hog", "a finder .* and a model")):
        with pytest.raises(ValueError, match=f"one-look says already what {words}"):
            detect.chosen("one-look", model, finder)
    with pytest.raises(ValueError, match="both says already"):
        detect.chosen("both", None, "yunet")


def test_a_model_is_loaded_with_the_finder_that_its_detector_names() -> None:
    model, find = detect.chosen("one-look")
    assert detect.one_look(model) and isinstance(detect.load(model, find=find), detect.OneLook)
    assert not detect.one_look("full")
    loaded = detect.load("small", find="one-look")
    assert isinstance(loaded, detect.MaskDetector) and loaded.find.name == "one-look"
    assert len(loaded(RGB)) == 0


def test_doubtful_faces_come_where_they_are_asked_for() -> None:
    sure, doubting = (detect.load("full", find="one-look", doubt=least) for least in (None, 0.05))
    assert sure.find.min_score == finding.ALONE and doubting.find.min_score == 0.05
    assert detect.load("one-look", doubt=0.0).min_score == finding.DOUBT
    assert detect.load("one-look", doubt=0.8).min_score == pytest.approx(0.3)  # the finder's own limit stays
    crowd = sample.group([3, 8, 20, 31], size=480).rgb
    assert len(doubting(crowd)) > len(sure(crowd)) >= 3


def test_the_command_gives_doubtful_faces_for_a_low_threshold(tmp_path: Any) -> None:
    images.write(tmp_path / "a.jpg", sample.group([3, 8, 20, 31], size=480).rgb)
    rows = {}
    for least in ("", "0.02", "0.5"):
        words = ["detect", str(tmp_path / "a.jpg"), "--detector", "one-look", "--json", str(tmp_path / f"{least}.json")]
        assert CliRunner().invoke(main.main, [*words, *(["--threshold", least] if least else [])]).exit_code == 0
        rows[least] = json.loads((tmp_path / f"{least}.json").read_text())["a.jpg"]
    assert len(rows["0.02"]) > len(rows[""]) >= len(rows["0.5"]) > 0
    assert min(row[4] for row in rows["0.5"]) >= 0.5


def test_detectors_that_disagree_are_refused_in_one_line(tmp_path: Any) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    words = ["detect", str(tmp_path / "a.jpg"), "--detector", "both", "--finder", "hog"]
    done = CliRunner().invoke(main.main, words)
    assert done.exit_code and "both says already what a finder (hog) would" in str(done.output) + str(done.exception)
