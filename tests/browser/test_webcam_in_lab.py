"""The webcam cell in a real JupyterLab, in a real Chromium, with a camera that is a file."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import helpers
import numpy as np
import pytest
import supervision as sv

from lib import classes, clips, images, video

CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
SIZE = (640, 480)

# What the kernel runs: a detector that needs no weights. It finds the one bright square of the made-up camera.
DETECTOR = """
import numpy as np, supervision as sv
from lib.webcam import Webcam
def bright(rgb):
    mask = rgb.min(axis=2) > 200
    if not mask.any():
        return sv.Detections.empty()
    y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.array([[x[0], y[0], x[-1] + 1, y[-1] + 1]], np.float32)
    return sv.Detections(box, confidence=np.array([0.97]), data={"class_name": np.array(["with_mask"])})
"""
GREEN = np.array(classes.COLOURS["with_mask"])


def square(i: int) -> np.ndarray:
    """Frame i: a white square in the left half, on a blue-grey ground, moving down slowly."""
    rgb = np.full((SIZE[1], SIZE[0], 3), (60, 70, 90), np.uint8)
    y = 100 + i % 40
    rgb[y : y + 150, 120:250] = 240
    return rgb


@pytest.fixture(scope="module")
def camera_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return helpers.y4m(tmp_path_factory.mktemp("camera") / "camera.y4m", [square(i) for i in range(40)])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "squares.mp4"
    with clips.Writer(path, fps=15) as writer:
        for i in range(30):
            writer.write(square(i)[:, ::-1])
    return path


@pytest.fixture(scope="module")
def page(lab: Any, launch: Callable, camera_film: Path, clip: Path) -> Any:
    """A notebook with three webcam cells: the browser's camera, a clip, and the browser's camera with a clip beside."""
    page = launch(*CAMERA, f"--use-file-for-fake-video-capture={camera_film}", height=1000)
    page.add_init_script(
        "window.tracks = []; const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "window.ask = async (wish) => { const got = await ask(wish); tracks.push(...got.getTracks()); return got };"
        "navigator.mediaDevices.getUserMedia = window.ask"
    )
    name = lab.notebook(
        "cam.ipynb",
        DETECTOR,
        'cam = Webcam({"bright": bright, "blind": lambda rgb: sv.Detections.empty()}, folder="out"); cam',
        f'film = Webcam(bright, {str(clip)!r}, folder="out"); film',
        f'both = Webcam(bright, folder="out", clip={str(clip)!r}); both',
        "print('frames', film.frames, film.running)",
    )
    lab.run(page, name)
    page.locator(".mask-cam").nth(2).wait_for(timeout=60_000)
    return page


@pytest.fixture
def camera(page: Any) -> Any:
    page.evaluate("void (navigator.mediaDevices.getUserMedia = window.ask)")
    return page.locator(".mask-cam").nth(0)


@pytest.fixture
def film(page: Any) -> Any:
    return page.locator(".mask-cam").nth(1)


def overlay(widget: Any) -> list[float]:
    """Left, top, right and bottom of what is drawn in the colour of a mask over the picture, as shares of the stage."""
    return helpers.extent(widget.locator("canvas.boxes"), classes.COLOURS["with_mask"], apart=20)


def speed(widget: Any) -> float:
    found = re.search(r"(\d+) frames/s", widget.locator(".speed").inner_text())
    return float(found[1]) if found else 0.0


def lit(page: Any) -> int:
    """How many camera tracks of the page are live."""
    return page.evaluate("tracks.filter((track) => track.readyState === 'live').length")


def word(widget: Any) -> str:
    return widget.locator(".go").inner_text()


def said(widget: Any) -> str:
    return widget.locator(".said").inner_text()


def test_the_browsers_camera_gets_boxes_and_is_let_go(lab: Any, page: Any, camera: Any, tmp_path: Path) -> None:
    assert lit(page) == 0
    camera.locator(".go").click()
    lab.until(lambda: speed(camera) > 0)
    assert lit(page) == 1 and word(camera) == "Stop"
    x1, _, x2, _ = overlay(camera)  # mirrored: the square of the left half is shown in the right one
    assert 0.58 < x1 < 0.63 and 0.78 < x2 < 0.84
    camera.locator("input.mirror").uncheck()
    lab.until(lambda: overlay(camera)[0] < 0.22)
    page.screenshot(path=tmp_path / "camera.png")
    camera.locator(".go").click()
    lab.until(lambda: lit(page) == 0)
    assert word(camera) == "Start" and overlay(camera)[2] > 0  # the last picture stays, with its box


def test_another_detector_is_chosen_while_it_runs(lab: Any, page: Any, camera: Any, film: Any) -> None:
    camera.locator(".go").click()
    lab.until(lambda: speed(camera) > 0 and overlay(camera)[2] > 0)
    camera.locator(".detector").select_option("blind")
    lab.until(lambda: overlay(camera)[2] < 0)
    camera.locator(".detector").select_option("bright")
    lab.until(lambda: overlay(camera)[2] > 0)
    camera.locator(".go").click()
    lab.until(lambda: lit(page) == 0)
    assert not film.locator(".detector").is_visible()  # there is nothing to choose


def test_the_camera_is_taken_and_let_go_again_and_again(lab: Any, page: Any, camera: Any) -> None:
    before = page.evaluate("tracks.length")
    for _ in range(25):
        camera.locator(".go").click()
        lab.until(lambda: lit(page) == 1)
        camera.locator(".go").click()
        lab.until(lambda: lit(page) == 0 and word(camera) == "Start")
    assert page.evaluate("tracks.length") == before + 25
    camera.locator(".go").click()
    lab.until(lambda: speed(camera) > 0)
    camera.locator(".go").click()
    lab.until(lambda: lit(page) == 0)


def test_snapshot_and_recording_are_files(lab: Any, page: Any, camera: Any) -> None:
    camera.locator(".go").click()
    lab.until(lambda: speed(camera) > 0)
    camera.locator(".snapshot").click()
    lab.until(lambda: "Saved out/snapshot" in said(camera))
    camera.locator(".record").click()
    lab.until(lambda: camera.locator(".record").inner_text() == "Stop recording")
    page.wait_for_timeout(1500)
    camera.locator(".record").click()
    lab.until(lambda: "Saved out/recording" in said(camera))
    camera.locator(".go").click()
    lab.until(lambda: lit(page) == 0)
    picture = images.read(next((lab.root / "out").glob("snapshot-*.jpg"))).astype(int)
    green = (np.abs(picture - GREEN).sum(2) < 60).nonzero()
    assert picture.shape == (480, 640, 3) and 110 < green[1].min() < 125
    (recorded,) = (lab.root / "out").glob("recording-*.mp4")
    assert len(list(clips.frames(recorded))) > 3


def test_the_kernel_plays_a_clip_and_other_cells_run_meanwhile(lab: Any, page: Any, film: Any, tmp_path: Path) -> None:
    film.locator(".go").click()
    lab.until(lambda: speed(film) > 0)
    x1, _, x2, _ = overlay(film)  # a file is no mirror
    assert 0.58 < x1 < 0.63 and 0.78 < x2 < 0.84 and not film.locator("input.mirror").is_visible()
    page.screenshot(path=tmp_path / "clip.png")
    last = page.locator(".jp-CodeCell").nth(4)
    last.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Control+Enter")
    lab.until(lambda: re.search(r"frames \d+ True", last.inner_text()))
    for _ in range(5):
        film.locator(".go").click()
        lab.until(lambda: word(film) == "Start")
        film.locator(".go").click()
        lab.until(lambda: word(film) == "Stop" and speed(film) > 0)
    film.locator(".go").click()
    lab.until(lambda: word(film) == "Start")


def test_an_interrupted_kernel_lets_the_source_go(lab: Any, page: Any, film: Any) -> None:
    film.locator(".go").click()
    lab.until(lambda: word(film) == "Stop" and speed(film) > 0)
    page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
    lab.until(lambda: word(film) == "Start", seconds=20)


def test_a_picture_from_disk(lab: Any, camera: Any, tmp_path: Path) -> None:
    images.write(tmp_path / "a.png", square(0))
    camera.locator("input.upload").set_input_files(tmp_path / "a.png")
    lab.until(lambda: "1 face in your picture" in said(camera))
    x1, _, x2, _ = overlay(camera)
    assert 0.16 < x1 < 0.21 and 0.36 < x2 < 0.42


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotAllowedError", "does not give the camera"),
        ("NotFoundError", "no camera at this computer"),
        ("NotReadableError", "Another program is using the camera"),
    ],
)
def test_each_trouble_is_a_sentence_that_says_what_to_do(
    lab: Any, page: Any, camera: Any, error: str, words: str
) -> None:
    refuse(page, error)
    camera.locator(".go").click()
    lab.until(lambda: words in said(camera))
    lab.until(lambda: word(camera) == "Start")


def refuse(page: Any, error: str) -> None:
    page.evaluate(
        f"void (navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{error}')))"
    )


def test_an_insecure_page_is_told_so(lab: Any, page: Any, camera: Any) -> None:
    page.evaluate("void (navigator.mediaDevices.getUserMedia = undefined)")
    camera.locator(".go").click()
    lab.until(lambda: "only to secure pages" in said(camera) and word(camera) == "Start")


def test_without_any_camera_the_clip_is_played(lab: Any, page: Any, camera: Any) -> None:
    refuse(page, "NotFoundError")
    both = page.locator(".mask-cam").nth(2)
    both.locator(".go").click()
    lab.until(lambda: "A clip is played meanwhile" in said(both))
    lab.until(lambda: speed(both) > 0)
    both.locator(".go").click()
    lab.until(lambda: word(both) == "Start")


def test_a_closed_cell_lets_the_camera_go(lab: Any, page: Any, camera: Any) -> None:
    camera.locator(".go").click()
    lab.until(lambda: lit(page) == 1)
    page.evaluate("() => jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    lab.until(lambda: lit(page) == 0)


def test_a_real_person_before_the_camera(
    lab: Any, launch: Callable, shared: Path, weights: Path, tmp_path: Path
) -> None:
    """The shipped model on a real clip, as the browser's camera: a box on the face, with the right word."""
    recorded = [rgb for _, rgb in clips.frames(shared / "data/videos/woman_masked_at_desk.mp4")][:60]
    path = helpers.y4m(tmp_path / "person.y4m", recorded)
    page = launch(*CAMERA, f"--use-file-for-fake-video-capture={path}", height=1000)
    code = "from lib import detect, faces; from lib.webcam import Webcam\n"
    code += "quick = detect.load('full', max_side=faces.LIVE)\n"
    code += "Webcam({'quick look': quick, 'thorough look': detect.load('full')})"
    lab.run(page, lab.notebook("person.ipynb", code))
    widget = page.locator(".mask-cam")
    widget.wait_for(timeout=60_000)
    widget.locator("input.mirror").uncheck()
    widget.locator(".go").click()
    lab.until(lambda: speed(widget) > 0 and "1" in widget.locator("b[data-name=with_mask]").inner_text())
    x1, y1, x2, y2 = overlay(widget)
    page.screenshot(path=tmp_path / "person.png")
    widget.locator(".detector").select_option("thorough look")
    page.wait_for_timeout(2000)
    lab.until(lambda: "1" in widget.locator("b[data-name=with_mask]").inner_text())
    thorough = overlay(widget)
    widget.locator(".go").click()
    assert 0.25 < (x1 + x2) / 2 < 0.75 and y2 - y1 > 0.2
    assert np.abs(np.subtract(thorough, (x1, y1, x2, y2))).max() < 0.15


def test_an_annotated_clip_plays_in_the_browser(lab: Any, launch: Callable, clip: Path) -> None:
    watched = video.annotate(clip, lambda rgb: sv.Detections.empty(), out=lab.root / "annotated.mp4")
    page = launch()
    page.goto(f"{lab.url}/files/annotated.mp4?token={lab.token}")
    page.locator("video").wait_for(timeout=30_000)
    page.evaluate("document.querySelector('video').play()")
    lab.until(lambda: page.evaluate("document.querySelector('video').currentTime") > 0.3)
    assert page.evaluate("(v => [v.videoWidth, v.videoHeight])(document.querySelector('video'))") == [640, 480]
    assert watched.out is not None
