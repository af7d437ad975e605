"""The command line as a person types it: what it prints, what it writes, how it ends."""

import json
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import supervision as sv
from PIL import Image

from lib import __main__ as main
from lib import clips, detect, files, images, screen, video

Command = Callable[..., tuple[int, str, str]]


class Colours:
    """Stands in for a network: green crops are masked, others bare."""

    classes = ("with_mask", "without_mask", "mask_worn_incorrectly")
    card = {"unsure_below": 0.5}  # noqa: RUF012
    input_size, margin = 32, 0.0

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        masked = crops[..., 1].mean((1, 2)) > crops[..., 0].mean((1, 2))
        return np.where(masked[:, None], [0.9, 0.08, 0.02], [0.1, 0.85, 0.05]).astype(np.float32).reshape(-1, 3)


def left_half(rgb: np.ndarray) -> sv.Detections:
    """Finds one face in the left half of any photo that is not black."""
    if rgb.max() == 0 or min(rgb.shape[:2]) < 8:
        return sv.Detections.empty()
    return sv.Detections(xyxy=np.array([[0, 0, rgb.shape[1] / 2, rgb.shape[0]]]), confidence=np.array([0.5]))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process: (exit code, printed, complained)."""
    monkeypatch.setattr(detect.MaskDetector, "load", lambda *a, **k: detect.MaskDetector(Colours(), left_half))

    def command(*arguments: object) -> tuple[int, str, str]:
        code = main.start([str(a) for a in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def coloured(colour: tuple[int, int, int] = (0, 200, 0), h: int = 40, w: int = 80) -> np.ndarray:
    return np.full((h, w, 3), colour, np.uint8)


def test_a_photo_is_named_with_what_was_seen(run: Command, tmp_path: Path) -> None:
    photo = images.write(tmp_path / "a.png", coloured())
    assert run("detect", photo) == (0, "a.png: 1 face: Mask 90.0 %\n", "")


def test_json_rows_are_in_pixels_of_the_upright_photo(run: Command, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side: 40 × 80 in the file, 80 × 40 for a person
    Image.fromarray(coloured((200, 0, 0), h=80, w=40)).save(tmp_path / "side.jpg", exif=exif)
    code, _, _ = run("detect", tmp_path / "side.jpg", "--json", tmp_path / "out/answers.json")
    answers = json.loads((tmp_path / "out/answers.json").read_text())
    assert code == 0 and answers == {"side.jpg": [[0, 0, 40, 40, 0.425, "without_mask"]]}
    run("detect", tmp_path / "side.jpg", "--json", tmp_path / "out/answers.json", "--threshold", "0.5")
    assert json.loads((tmp_path / "out/answers.json").read_text()) == {"side.jpg": []}


def test_a_folder_of_all_sorts(run: Command, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    images.write(photos / "sub/good.jpg", coloured())
    images.write(photos / "black.png", coloured((0, 0, 0)))
    images.write(photos / "pixel.png", coloured(h=1, w=1))
    images.write(photos / "grey.png", np.full((40, 80), 99, np.uint8))
    Image.fromarray(np.full((40, 80), 40_000, np.uint16)).save(photos / "deep.png")
    Image.fromarray(np.full((40, 80, 4), 120, np.uint8), "RGBA").save(photos / "clear.png")
    files.write(photos / "text.jpg", "I am a text file")
    files.write(
        photos / "cut.jpg", images.encode(np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8))[:900]
    )
    before = {p: p.read_bytes() for p in images.find(photos)}
    code, said, complained = run("detect", photos, "--out", tmp_path / "out", "--json", tmp_path / "a.json")
    assert code == 0
    assert "black.png: no face found" in said and "pixel.png: no face found" in said
    assert "sub/good.jpg: 1 face: Mask 90.0 %" in said
    assert sorted(line.split(":")[0].split("/")[-1] for line in complained.splitlines()) == ["cut.jpg", "text.jpg"]
    assert set(json.loads((tmp_path / "a.json").read_text())) == {
        "sub/good.jpg", "black.png", "pixel.png", "grey.png", "deep.png", "clear.png"}  # fmt: skip
    assert images.read(tmp_path / "out/sub/good.jpg").shape == (40, 80, 3)
    assert {p: p.read_bytes() for p in images.find(photos)} == before


def test_nothing_that_is_read_is_ever_overwritten(run: Command, tmp_path: Path) -> None:
    photo = images.write(tmp_path / "a.jpg", coloured())
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        writer.write(coloured(h=48, w=96))
    clip = tmp_path / "a.mp4"
    before = photo.read_bytes(), clip.read_bytes()
    for arguments in (
        (photo, "--out", photo),
        (photo, "--out", tmp_path),
        (tmp_path, "--out", tmp_path),
        (photo, "--json", photo),
        (clip, "--out", clip),
        (clip, "--json", clip),
        (clip, "--events", clip),
    ):
        for force in ((), ("--force",)):
            code, _, complained = run("detect", *arguments, *force)
            assert code == 2 and "never overwritten" in complained, arguments
            assert (photo.read_bytes(), clip.read_bytes()) == before


def test_what_is_there_is_replaced_only_by_force(run: Command, tmp_path: Path) -> None:
    photo = images.write(tmp_path / "a.png", coloured())
    other = images.write(tmp_path / "out/a.png", coloured((9, 9, 9)))
    before = other.read_bytes()
    for arguments in (("--out", other), ("--out", tmp_path / "out"), ("--json", other)):
        code, _, complained = run("detect", photo, *arguments)
        assert code == 2 and "give another name" in complained and other.read_bytes() == before
        assert ("--force" in complained) == (arguments[0] == "--out")  # a picture never becomes a table
    assert run("detect", photo, "--out", other, "--force")[0] == 0 and other.read_bytes() != before


def test_photos_of_one_name_keep_their_own_copies(run: Command, tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "a.webp", "sub/a.jpg"):
        images.write(tmp_path / "photos" / name, coloured())
    Image.fromarray(coloured()).save(tmp_path / "photos/a.gif")
    assert run("detect", tmp_path / "photos", "--out", tmp_path / "out")[0] == 0
    made = {p.relative_to(tmp_path / "out").as_posix() for p in images.find(tmp_path / "out")}
    assert made == {"a.png", "a.jpg", "a.webp", "a.gif.png", "sub/a.jpg"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nowhere.jpg", None, "no such file or folder"),
        ("nowhere.mp4", None, "nowhere.mp4"),
        ("text.jpg", b"hello", "no photo could be read"),
        ("empty.mp4", b"", "empty.mp4"),
    ],
)
def test_what_cannot_be_used_ends_with_a_sentence_and_code_2(
    run: Command, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, said, complained = run("detect", tmp_path / name)
    assert (code, said) == (2, "") and words in complained and "Traceback" not in complained


def test_an_empty_folder_says_what_it_looked_for(run: Command, tmp_path: Path) -> None:
    code, _, complained = run("detect", tmp_path)
    assert code == 2 and "holds no images (.avif, .bmp, .gif, .jpeg, .jpg" in complained


def test_a_clip_is_counted_written_and_told_frame_by_frame(run: Command, tmp_path: Path) -> None:
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        for _ in range(12):
            writer.write(coloured(h=48, w=96))
    code, said, _ = run("detect", tmp_path / "a.mp4", "--out", tmp_path / "b.mp4", "--json", tmp_path / "a.json")
    assert code == 0 and said.startswith("12 frames") and "most at once: mask 1" in said
    assert len(list(clips.frames(tmp_path / "b.mp4"))) == 12
    (told,) = json.loads((tmp_path / "a.json").read_text()).values()
    assert len(told) == 12 and told[3]["faces"][0][5] == "with_mask"


def test_answers_are_printed_for_scripts_and_words_go_aside(run: Command, tmp_path: Path) -> None:
    photo = images.write(tmp_path / "a.png", coloured())
    code, said, aside = run("detect", photo, "--json", "-")
    assert code == 0 and json.loads(said)["a.png"][0][5] == "with_mask" and "1 face" in aside
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        writer.write(coloured(h=48, w=96))
    code, said, aside = run("detect", tmp_path / "a.mp4", "--json", "-")
    assert code == 0 and json.loads(said)["a.mp4"][0]["seconds"] == 0 and aside.startswith("1 frame,")


def test_a_bare_face_in_a_clip_starts_the_alarm_and_counts_are_a_table(run: Command, tmp_path: Path) -> None:
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        for _ in range(8):
            writer.write(coloured((200, 0, 0), h=48, w=96))
    bell = tmp_path / "bell.py"
    bell.write_text("import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])")
    told = tmp_path / "told.json"
    more = "--alarm", f"{sys.executable} {bell} {told}", "--counts", tmp_path / "c.csv", "--events", tmp_path / "e.csv"
    code, *_ = run("detect", tmp_path / "a.mp4", *more)
    assert code == 0 and pd.read_csv(tmp_path / "c.csv")["without_mask"].tolist() == [1] * 8
    assert (tmp_path / "e.csv").read_text().splitlines()[1] == "0.0,appeared,1,without_mask"
    for _ in range(100):
        if told.exists() and told.read_text():
            break
        time.sleep(0.1)
    assert json.loads(told.read_text()) == {"seconds": 0.3, "label": "without_mask", "people": [1]}


def test_a_watch_that_is_told_to_end_leaves_a_playable_clip(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, answer = iter(range(100)), Colours.__call__

    def told(self: Colours, crops: np.ndarray) -> np.ndarray:
        if next(calls) == 4:
            signal.raise_signal(signal.SIGTERM)
        return answer(self, crops)

    monkeypatch.setattr(Colours, "__call__", told)
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        for _ in range(12):
            writer.write(coloured(h=48, w=96))
    before = signal.getsignal(signal.SIGTERM)
    code, said, _ = run("detect", tmp_path / "a.mp4", "--out", tmp_path / "b.mp4")
    assert code == 0 and "ended early: interrupted" in said and signal.getsignal(signal.SIGTERM) == before
    assert len(list(clips.frames(tmp_path / "b.mp4"))) == 4


def test_a_camera_that_breaks_off_ends_with_code_1(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(source: video.Source) -> Iterator[tuple[float, np.ndarray]]:
        yield 0.0, coloured()
        raise video.CameraTrouble("camera 0 gives no more pictures", state="lost")

    monkeypatch.setattr(video, "open", lambda source: video.Source("camera 0", broken, live=True))
    code, said, _ = run("detect", "0", "--counts", tmp_path / "c.csv")
    assert code == 1 and "gives no more pictures" in said and len(pd.read_csv(tmp_path / "c.csv")) == 1


def test_an_alarm_that_cannot_be_run_is_said_before_the_start(run: Command, tmp_path: Path) -> None:
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        writer.write(coloured())
    code, _, complained = run("detect", tmp_path / "a.mp4", "--alarm", "no-such-bell --loud")
    assert code == 2 and "there is no program" in complained
    code, _, complained = run("detect", images.write(tmp_path / "a.png", coloured()), "--alarm", "true")
    assert code == 2 and "--alarm" in complained


def test_what_is_written_is_what_its_name_says(run: Command, tmp_path: Path) -> None:
    photo = images.write(tmp_path / "a.png", coloured())
    code, _, complaint = run("detect", photo, "--out", tmp_path / "b.mp4")
    assert code == 2 and "b.mp4 is the name of a clip" in complaint
    with clips.Writer(tmp_path / "a.mp4", fps=10) as writer:
        writer.write(coloured())
    code, _, complaint = run("detect", tmp_path / "a.mp4", "--out", tmp_path / "b.avi")
    assert code == 2 and "b.avi must end in .mp4" in complaint
    assert {p.name for p in tmp_path.iterdir()} == {"a.png", "a.mp4"}


def test_no_window_without_a_screen(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "there", lambda: False)
    code, _, complained = run("detect", images.write(tmp_path / "a.png", coloured()), "--show")
    assert code == 2 and "there is no screen here" in complained


def test_a_full_disk_is_one_sentence(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "out"))

    photo = images.write(tmp_path / "a.png", coloured())
    monkeypatch.setattr(images.files, "write", full)
    code, _, complained = run("detect", photo, "--out", tmp_path / "b.png")
    assert code == 2 and complained.startswith("No space left on device") and len(complained.splitlines()) == 1


def test_wrong_use_and_help(run: Command) -> None:
    assert run("detect")[0] == 2 and run("nonsense")[0] == 2
    code, said, _ = run("detect", "--help")
    assert code == 0 and "pixels of the upright photo" in " ".join(said.split())


def test_doctor_as_json_and_as_text(run: Command) -> None:
    code, said, _ = run("doctor", "--json")
    assert {"what", "state", "detail", "spoils", "mend"} == set(json.loads(said)[0])
    broken = [f for f in json.loads(said) if f["state"] == "broken"]
    assert code == (1 if broken else 0)


def test_a_missing_package_is_named_with_its_mend(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    code, _, complained = run("mask", images.write(tmp_path / "a.png", coloured()), "--out", tmp_path / "out")
    assert code == 2 and "is not installed" in complained and "pip install" in complained


def test_an_empty_folder_and_one_photo_are_told_apart(run: Command, tmp_path: Path) -> None:
    for command in (("mask", tmp_path, "--out", tmp_path / "out"), ("label", tmp_path)):
        code, _, complained = run(*command)
        assert code == 2 and "no images in it" in complained
    photo = images.write(tmp_path / "photos/a.png", coloured())
    for words, why in ((("--roi", "mask"), "is a folder"), (("--roi", "mask", "--labelimg"), "give one of them")):
        code, _, complained = run("label", tmp_path, *words)
        assert code == 2 and why in complained
    code, said, _ = run("label", photo)
    assert code == 0 and said.startswith("1 faces of 1 photos") and photo.with_suffix(".xml").is_file()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What `mask` asks of `masks.generate`, which draws on nothing and refuses two faces and a photo."""
    calls: list[dict[str, object]] = []

    def generate(photos: list[Path], **options: object) -> tuple[pd.DataFrame, list[dict[str, object]]]:
        calls.append(options | {"photos": photos})
        small = {"item": "a.png", "reason": "too small", "box": [0, 0, 1, 1]}
        made = pd.DataFrame({"image": ["1.jpg", "1.jpg"], "label": ["with_mask", "without_mask"],
                             "origin": ["artificial", "auto"]})  # fmt: skip
        return made, [small, small, {"item": "b.png", "reason": "no face is found"}]

    monkeypatch.setattr("lib.masks.generate", generate)
    for door in ("lib.faces.finder", "lib.landmarks.finder"):
        monkeypatch.setattr(door, lambda: None)
    return calls


def test_mask_takes_a_share_of_look_alikes(run: Command, tmp_path: Path, asked: list[dict[str, object]]) -> None:
    photo = images.write(tmp_path / "a.png", coloured())
    for share in ((), ("--look-alikes", "0.2")):
        assert run("mask", photo, "--out", tmp_path / "out", *share)[0] == 0
    assert [call["lookalikes"] for call in asked] == [0.0, 0.2]


def test_mask_tells_what_was_made_and_what_was_left_out(
    run: Command, tmp_path: Path, asked: list[dict[str, object]]
) -> None:
    _, said, complained = run("mask", images.write(tmp_path / "a.png", coloured()), "--out", tmp_path / "out")
    assert said.strip().endswith("masked: 1 with_mask") and said.startswith("1 pictures in ")
    assert complained.splitlines() == ["left out 2 faces of a.png: too small", "left out b.png: no face is found"]


def test_mask_leaves_out_photos_with_masks_where_it_is_told_to_check(
    run: Command, tmp_path: Path, asked: list[dict[str, object]]
) -> None:
    masked, bare = tmp_path / "photos/masked.png", tmp_path / "photos/bare.png"
    images.write(masked, coloured())
    images.write(bare, coloured((200, 0, 0)))
    _, _, complained = run("mask", tmp_path / "photos", "--out", tmp_path / "out", "--check")
    assert asked[0]["photos"] == [bare]
    assert f"left out {masked}: a face may wear a mask already" in complained
    run("mask", tmp_path / "photos", "--out", tmp_path / "out")
    assert asked[1]["photos"] == [bare, masked]


@pytest.mark.parametrize("wrong", [("--workers", 0), ("--seed", -1)])
def test_mask_names_the_option_that_cannot_be(run: Command, tmp_path: Path, wrong: tuple[str, int]) -> None:
    code, _, complained = run("mask", images.write(tmp_path / "a.png", coloured()), "--out", tmp_path / "out", *wrong)
    assert code == 2 and wrong[0] in complained


def test_the_help_of_mask_knows_every_way_of_wearing(run: Command) -> None:
    from lib.masks import WEARS

    assert all(re.search(rf"\b{wear}\b", run("mask", "--help")[1]) for wear in WEARS)


def test_a_full_disk_under_the_manifest_is_a_sentence(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("lib.masks.generate", full)
    photo = images.write(tmp_path / "a.png", coloured())
    code, _, complained = run("mask", photo, "--out", tmp_path / "out")
    assert code == 2 and complained.startswith("manifest: database or disk is full")


def test_a_blurred_photo_shows_no_face_and_events_belong_to_clips(run: Command, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 400, 3), np.uint8)
    photo = images.write(tmp_path / "a.png", noise)
    for extra, name in (((), "plain.png"), (("--blur",), "blurred.png")):
        assert run("detect", photo, "--out", tmp_path / name, *extra)[0] == 0
    inside = slice(60, 140), slice(40, 160)
    detail = [images.read(tmp_path / name)[inside].astype(int).std() for name in ("plain.png", "blurred.png")]
    assert detail[1] < detail[0] / 3
    code, _, complained = run("detect", photo, "--events", tmp_path / "e.jsonl")
    assert code == 2 and "--events" in complained


def test_labels_are_converted_with_what_was_wrong(run: Command, tmp_path: Path) -> None:
    images.write(tmp_path / "set/a.png", coloured())
    images.write(tmp_path / "set/a.txt", "0 0.5 0.5 0.5 0.5\n9 0.5 0.5 0.5 0.5\n")
    images.write(tmp_path / "set/classes.txt", "no-mask\n")
    code, said, complained = run("convert", tmp_path / "set", "--to", "voc", "--out", tmp_path / "out")
    assert code == 0 and said == f"photos read by format: 1 yolo\n1 faces of 1 photos as voc in {tmp_path / 'out'}\n"
    assert complained == f"{tmp_path / 'set/a.txt'}:2: unknown class 9: classes.txt names [0]\n"
    assert "<name>without_mask</name>" in (tmp_path / "out/annotations/a.xml").read_text()
    code, _, complained = run("convert", tmp_path / "set", "--to", "coco", "--out", tmp_path / "out")
    assert code == 2 and "nothing is overwritten" in complained and len(complained.splitlines()) == 1
    assert run("convert", tmp_path / "set", "--to", "kitti", "--out", tmp_path / "new")[0] == 2
