"""The web page's server: what it answers, what it refuses and how, and that nothing is left behind."""

import base64
import contextlib
import io
import json
import logging
import os
import re
import signal
import socket
import struct
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervision as sv
from flask.testing import FlaskClient
from helpers import bright, until
from PIL import Image

from lib import __main__ as main
from lib import classes, clips, detect, images, video, web
from lib.web import guard, limits, seeing, serving
from lib.web.camera import Camera

GREEN = np.array(classes.COLOURS["with_mask"])


def square(w: int = 160, h: int = 120, *, x: int = 40) -> np.ndarray:
    rgb = np.full((h, w, 3), (60, 70, 90), np.uint8)
    rgb[30:90, x : x + 40] = 240
    return rgb


def png(rgb: np.ndarray | None = None) -> bytes:
    return images.encode(square() if rgb is None else rgb, ".png")


def clip(path: Path, *, frames: int = 12, fps: float = 12) -> Path:
    with clips.Writer(path, fps=fps) as writer:
        for i in range(frames):
            writer.write(square(x=20 + i % 60))
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, which must be empty when all is over."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


class Client(FlaskClient):
    """Reads every answer to its end, so that its file is closed."""

    def open(self, *arguments: Any, **options: Any) -> Any:
        return super().open(*arguments, **{"buffered": True, **options})


@pytest.fixture
def make(home: Path) -> Iterator[Callable[..., Any]]:
    """Applications that are closed after the test: make(detector, **options)."""
    made = []

    def build(detector: Any = bright, **options: Any) -> Any:
        told = {k: options.pop(k) for k in list(options) if k in limits.Limits.__dataclass_fields__}
        made.append(web.create_app(detector, limits=limits.Limits(**told), **options))
        made[-1].test_client_class = Client
        return made[-1]

    yield build
    for app in made:
        app.extensions["close"]()
    assert not list(home.iterdir())


@pytest.fixture
def client(make: Callable[..., Any]) -> Any:
    return make().test_client()


# pictures


def test_a_picture_is_answered_with_its_faces(client: Any) -> None:
    said = client.post("/api/detect", data=png()).json
    assert (said["width"], said["height"]) == (160, 120) and said["milliseconds"] > 0
    words = {"class": "with_mask", "probability": 0.97, "words": "Mask 97.0 %"}
    assert said["faces"] == [{"box": [40, 30, 80, 90], **words}]
    assert said["counts"] == {"with_mask": 1, "without_mask": 0, "mask_worn_incorrectly": 0, "unsure": 0}
    assert "picture" not in said


def test_a_picture_without_faces_has_none(client: Any) -> None:
    said = client.post("/api/detect", data=png(np.zeros((20, 30, 3), np.uint8))).json
    assert said["faces"] == [] and sum(said["counts"].values()) == 0


def test_a_form_is_as_good_as_a_body_and_its_name_is_never_used(client: Any, home: Path) -> None:
    form = {"file": (io.BytesIO(png()), "../../../etc/passwd\0.exe", "text/html")}
    said = client.post("/api/detect", data=form, content_type="multipart/form-data")
    assert said.status_code == 200 and len(said.json["faces"]) == 1
    assert not files_in(home)
    assert client.post("/api/detect", data={"other": (io.BytesIO(png()), "a.png")}).status_code == 400


def test_the_annotated_picture_has_the_box_and_is_blurred_when_asked(client: Any) -> None:
    striped = square(320, 240)
    striped[30:90, 40:80:2] = 201  # a face with something in it to blur
    plain, blurred = (
        images.read(base64.b64decode(client.post(f"/api/detect?picture=1&blur={b}", data=png(striped)).json["picture"]))
        for b in (0, 1)
    )
    assert plain.shape == blurred.shape == (240, 320, 3)
    assert (np.abs(plain.astype(int) - GREEN).sum(2) < 60).sum() > 100
    inside = np.s_[40:80, 45:75]
    assert plain[inside].std() > 2 * blurred[inside].std()


def test_a_large_picture_comes_back_smaller_but_its_boxes_are_of_the_original() -> None:
    rgb = np.zeros((1500, 3000, 3), np.uint8)
    rgb[600:900, 1200:1500] = 240
    people = bright(rgb)
    assert images.read(seeing.drawn(rgb, people, blur=False)).shape == (1024, 2048, 3)
    assert seeing.told(rgb, people, start=0)["faces"][0]["box"] == [1200, 600, 1500, 900]


def test_a_live_camera_gets_a_steady_label(make: Callable[..., Any]) -> None:
    turn = iter([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05]])

    def flickering(rgb: np.ndarray) -> sv.Detections:
        found = bright(rgb)
        found.data["probabilities"] = np.array([next(turn)])
        return found

    client = make(flickering).test_client()
    names = [client.post("/api/detect?watch=abcdefgh-1", data=png()).json["faces"][0]["class"] for _ in range(2)]
    assert names == ["with_mask", "with_mask"]
    assert client.post("/api/detect?watch=<script>", data=png()).status_code == 400


def test_videos_and_cameras_are_looked_at_by_the_quicker_detector(make: Callable[..., Any], tmp_path: Path) -> None:
    used = []
    client = make(live=lambda rgb: used.append(rgb.shape) or bright(rgb), camera=str(clip(tmp_path / "a.mp4")))
    client = client.test_client()
    client.post("/api/detect", data=png())
    assert used == []
    client.post("/api/detect?watch=abcdefgh", data=png())
    assert len(used) == 1
    ended(client, sent(client, clip(tmp_path / "b.mp4"))["id"])
    assert len(used) == 13
    viewer = joined(client)
    newest(client, viewer)
    assert len(used) > 13


def test_trackers_of_those_who_left_are_forgotten() -> None:
    trackers = seeing.Trackers(bright, most=2)
    for who in ("a", "b", "a", "c"):
        trackers(who, bright(square()))
    assert list(trackers._known) == ["a", "c"]


def bomb(w: int, h: int) -> bytes:
    """A small PNG that says it is huge."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", w, h, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes(200_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def saved(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(square()).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 400, "No picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "by its content"),
        (b"GIF89a but no GIF at all", 415, "by its content"),
        (b"\x00" * 1000, 415, "by its content"),
        (saved("EPS"), 415, "by its content"),  # Pillow would start Ghostscript
        (saved("PDF"), 415, "by its content"),
        (saved("TGA"), 415, "by its content"),
        (images.encode(square(), ".jpg")[:-300], 422, "cut short"),
        (bomb(8_000, 8_000), 413, "8000 × 8000 pixels; at most 50,000,000"),
        (bomb(60_000, 60_000), 413, "pixels"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_content(client: Any, content: bytes, status: int, words: str) -> None:
    said = client.post("/api/detect", data=content, content_type="image/png")
    assert (said.status_code, words in said.json["error"]) == (status, True), said.json


def test_more_bytes_than_allowed_are_refused(make: Callable[..., Any]) -> None:
    client = make(picture_bytes=1000).test_client()
    assert client.post("/api/detect", data=bytes(1001)).status_code == 413
    assert client.post("/api/detect", data=bytes(1000)).status_code == 415


def test_a_detector_that_fails_is_no_end_of_the_server(make: Callable[..., Any]) -> None:
    def broken(rgb: np.ndarray) -> sv.Detections:
        raise RuntimeError("secret path /home/somebody")

    client = make(broken).test_client()
    said = client.post("/api/detect", data=png())
    assert said.status_code == 500 and "secret" not in said.text and client.get("/health").status_code == 200


def test_a_flood_of_pictures_is_told_to_wait(make: Callable[..., Any]) -> None:
    begun, go = threading.Semaphore(0), threading.Event()

    def slow(rgb: np.ndarray) -> sv.Detections:
        begun.release()
        assert go.wait(20)
        return bright(rgb)

    app, codes = make(slow, pictures=2), []
    posts = [
        threading.Thread(target=lambda: codes.append(app.test_client().post("/api/detect", data=png()).status_code))
        for _ in range(2)
    ]
    for post in posts:
        post.start()
    assert begun.acquire(timeout=20) and begun.acquire(timeout=20)
    surplus = app.test_client().post("/api/detect", data=png())
    assert surplus.status_code == 503 and surplus.headers["Retry-After"] and "again" in surplus.json["error"]
    go.set()
    for post in posts:
        post.join()
    assert codes == [200, 200] and app.test_client().post("/api/detect", data=png()).status_code == 200


# who may ask


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("localhost:8000", True),
        ("127.0.0.1", True),
        ("[::1]:8000", True),
        ("192.168.1.7:8000", True),
        ("masks.home:80", True),
        ("evil.example", False),
        ("localhost.evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        ("[evil", False),
        ("[localhost]", False),
        ("user@evil.example", False),
    ],
)
def test_only_known_names_of_this_machine_are_answered(host: str, fine: bool) -> None:
    assert guard.allowed_host(host, {"localhost", "masks.home"}) == fine


def test_a_foreign_name_gets_nothing(client: Any) -> None:
    said = client.get("/", headers={"Host": "evil.example"})
    assert said.status_code == 421 and "--name" in said.json["error"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/api/detect", {}, 200),  # a program
        ("POST", "/api/detect", {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 200),
        ("POST", "/api/detect", {"Origin": "http://localhost"}, 200),
        ("POST", "/api/detect", {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", "/api/detect", {"Origin": "https://evil.example"}, 403),
        ("POST", "/api/detect", {"Origin": "null"}, 403),
        ("POST", "/api/detect", {"Origin": "http://localhost:9999", "Sec-Fetch-Site": "same-site"}, 403),
        ("POST", "/", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", "/api/camera", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "/metrics", {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "/", {"Sec-Fetch-Site": "cross-site"}, 200),  # a link to us
        ("GET", "/", {"Sec-Fetch-Site": "none"}, 200),
    ],
)
def test_another_site_cannot_use_the_server(
    client: Any, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert client.open(path, method=method, headers=headers, data=png()).status_code == status


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}


def test_the_password_is_asked_for_everywhere_but_at_health(make: Callable[..., Any]) -> None:
    client = make(password="grün").test_client()
    for path in ("/", "/metrics", "/static/page.js", "/api/videos/x"):
        answer = client.get(path)
        assert answer.status_code == 401 and "Basic" in answer.headers["WWW-Authenticate"]
    assert client.get("/health").json == {"status": "ok"}
    assert client.post("/api/detect", data=png(), headers=basic("grün")).status_code == 200
    for wrong in (basic(""), basic("grun"), {"Authorization": "Bearer grün"}, {"Authorization": "Basic !!"}):
        assert client.get("/", headers=wrong).status_code == 401


def test_passwords_cannot_be_guessed_at_full_speed(make: Callable[..., Any]) -> None:
    client = make(password="right", tries=3).test_client()
    codes = [client.get("/", headers=basic(str(i))).status_code for i in range(4)]
    assert codes == [401, 401, 401, 429]
    assert client.get("/", headers=basic("right")).status_code == 429  # or guessing would still tell
    other = {"REMOTE_ADDR": "10.0.0.9"}
    assert client.get("/", headers=basic("right"), environ_overrides=other).status_code == 200


def test_too_many_requests_are_slowed_down_by_address(make: Callable[..., Any]) -> None:
    client = make(rate=0.001).test_client()
    assert client.get("/health").status_code == 429  # less than one request is left
    client = make(rate=2).test_client()
    codes = [client.get("/health").status_code for _ in range(20)]
    assert codes[:4] == [200] * 4 and 429 in codes
    assert client.get("/health", environ_overrides={"REMOTE_ADDR": "10.0.0.9"}).status_code == 200


def test_buckets_fill_again_and_forget_those_who_were_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    buckets = limits.Buckets(1.0, 2.0)
    assert [buckets.take("a") for _ in range(3)] == [True, True, False]
    now[0] = 1.5
    assert [buckets.take("a") for _ in range(2)] == [True, False]
    for i in range(10_001):
        buckets.take(str(i))
    now[0] = 100.0
    buckets.take("b")
    assert len(buckets._left) == 1


def test_every_answer_carries_its_headers(client: Any) -> None:
    for answer in (client.get("/"), client.get("/nothing"), client.post("/api/detect"), client.get("/static/page.js")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/").headers["Cache-Control"] == "no-store"


def test_the_page_asks_nobody_else(client: Any) -> None:
    folder = Path(web.__file__).parent
    for path in [*folder.glob("static/*"), *folder.glob("templates/*")]:
        text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"""(src|href|url\(|import|fetch)[^\n]{0,20}https?://""", text), path
    page = client.get("/").text
    assert "<style" not in page and " style=" not in page and not re.search(r"<script(?! type=\"module\" src)", page)
    assert all(word in page for word in classes.WORDS.values() if word != "Not a face")
    about = json.loads(re.search(r'data-about="([^"]*)"', page)[1].replace("&#34;", '"'))
    assert about["legend"][0] == ["with_mask", "Mask", "rgb(0, 158, 115)"] and about["camera"] is False
    assert "drawBoxes" in client.get("/static/shared/webcam.js").text


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/shared/../app.py",
        "/api/videos/../../etc/passwd",
        "/api/videos/x/..%2f..%2fupload",
        "/api/videos/x/upload",
    ],
)
def test_no_path_leads_out(client: Any, path: str) -> None:
    assert client.get(path, follow_redirects=True).status_code == 404


# videos


def sent(client: Any, path: Path, query: str = "") -> dict[str, Any]:
    answer = client.post(f"/api/videos{query}", data=path.read_bytes())
    assert answer.status_code == 202, answer.json
    return answer.json


def ended(client: Any, name: str) -> dict[str, Any]:
    def over() -> Any:
        said = client.get(f"/api/videos/{name}").json
        return said if said["state"] not in ("waiting", "working") else None

    return until(over)


def test_a_video_is_a_job_whose_results_can_be_fetched(client: Any, home: Path, tmp_path: Path) -> None:
    job = sent(client, clip(tmp_path / "a.mp4"))
    assert job["of"] == 12
    done = ended(client, job["id"])
    assert (done["state"], done["frames"]) == ("done", 12) and done["most"]["with_mask"] == 1
    assert done["words"].startswith("12 frames") and not any(name.endswith("upload") for name in files_in(home))
    films = f"/api/videos/{job['id']}/annotated.mp4"
    fetched = tmp_path / "fetched.mp4"
    fetched.write_bytes(client.get(films).data)
    pictures = [rgb for _, rgb in clips.frames(fetched)]
    assert len(pictures) == 12 and (np.abs(pictures[5].astype(int) - GREEN).sum(2) < 90).sum() > 50
    assert client.get(films, headers={"Range": "bytes=0-9"}).status_code == 206  # browsers ask so
    assert client.get(films).mimetype == "video/mp4"
    answers = client.get(f"/api/videos/{job['id']}/answers.json").json
    assert len(answers) == 12 and answers[0]["faces"][0][5] == "with_mask"
    assert client.delete(f"/api/videos/{job['id']}").status_code == 204
    assert client.get(films).status_code == 404 and not files_in(home)


def test_a_video_is_blurred_when_asked(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = video.annotate
    monkeypatch.setattr(video, "annotate", lambda *a, **how: asked.append(how["blur"]) or real(*a, **how))
    for query in ("", "?blur=1"):
        ended(client, sent(client, clip(tmp_path / "a.mp4"), query)["id"])
    assert asked == [False, True]


class Stepping:
    """A detector that looks at one picture each time it is told to."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)

    def __call__(self, rgb: np.ndarray) -> sv.Detections:
        assert self.go.acquire(timeout=20)
        return bright(rgb)


def test_progress_is_told_and_a_cancelled_video_is_gone(make: Callable[..., Any], home: Path, tmp_path: Path) -> None:
    steps = Stepping()
    client = make(steps).test_client()
    path = f"/api/videos/{sent(client, clip(tmp_path / 'a.mp4'))['id']}"
    steps.go.release(3)
    until(lambda: client.get(path).json["frames"] == 3)
    assert client.get(path).json["state"] == "working"
    assert client.get(f"{path}/annotated.mp4").status_code == 409
    assert client.delete(path).status_code == 204
    steps.go.release(1)  # the frame that was under way
    until(lambda: client.get(path).status_code == 404 and not files_in(home))


def test_only_so_many_videos_wait_and_a_waiting_one_can_be_cancelled(
    make: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    steps = Stepping()
    client = make(steps, videos=2).test_client()
    film = clip(tmp_path / "a.mp4", frames=3)
    first, second = sent(client, film)["id"], sent(client, film)["id"]
    until(lambda: client.get(f"/api/videos/{first}").json["state"] == "working")
    full = client.post("/api/videos", data=film.read_bytes())
    assert full.status_code == 503 and full.headers["Retry-After"]
    assert client.get(f"/api/videos/{second}").json["state"] == "waiting"
    assert client.delete(f"/api/videos/{second}").status_code == 204
    third = sent(client, film)["id"]
    steps.go.release(10)
    assert ended(client, first)["state"] == ended(client, third)["state"] == "done"
    assert client.get(f"/api/videos/{second}").status_code == 404


def test_results_are_forgotten_after_a_while(make: Callable[..., Any], home: Path, tmp_path: Path) -> None:
    client = make(keep=0.0).test_client()
    name = sent(client, clip(tmp_path / "a.mp4"))["id"]
    until(lambda: client.get(f"/api/videos/{name}").status_code == 404)
    assert not files_in(home)


def test_the_length_and_the_size_of_a_video_are_limited(make: Callable[..., Any], tmp_path: Path, home: Path) -> None:
    film = clip(tmp_path / "a.mp4", frames=24).read_bytes()
    for limit, words in ({"seconds": 1.5}, "lasts 2 s"), ({"frame_pixels": 10_000}, "160 × 120 pixels"):
        said = make(**limit).test_client().post("/api/videos", data=film)
        assert said.status_code == 413 and words in said.json["error"]
    assert make(video_bytes=1000).test_client().post("/api/videos", data=film).status_code == 413
    assert not files_in(home)


def test_a_head_that_lies_about_the_length_does_not_help(
    make: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = clips.about
    monkeypatch.setattr(clips, "about", lambda path: clips.About(real(path).size, 12.0, 0.0, 0))
    client = make(seconds=1.0).test_client()
    done = ended(client, sent(client, clip(tmp_path / "a.mp4", frames=40))["id"])
    assert done["state"] == "done" and 12 <= done["frames"] <= 14 and "only the beginning" in done["words"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", 415),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", 415),
        (b"RIFF\x00\x00\x00\x00AVI LIST", 415),
        (b"v=0\r\nm=video 5004 RTP/AVP 96\r\n", 415),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(5000), 415),
        (png(), 415),
    ],
)
def test_what_is_no_video_is_refused_by_its_content(client: Any, home: Path, content: bytes, status: int) -> None:
    said = client.post("/api/videos", data=content, content_type="video/mp4")
    assert said.status_code == status and said.json["error"] and not files_in(home)


def test_a_video_that_is_cut_short_or_breaks_the_detector_fails_alone(
    make: Callable[..., Any], home: Path, tmp_path: Path
) -> None:
    def once_broken(rgb: np.ndarray, seen: list[int] = []) -> sv.Detections:  # noqa: B006
        seen.append(1)
        if len(seen) == 1:
            raise RuntimeError("no")
        return bright(rgb)

    client = make(once_broken).test_client()
    film = clip(tmp_path / "a.mp4")
    assert ended(client, sent(client, film)["id"])["state"] == "failed"
    assert ended(client, sent(client, film)["id"])["state"] == "done"
    assert not any(name.endswith("upload") for name in files_in(home))


# the server's camera


def camera_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "server's camera" or t.name.startswith("frames of")]


@pytest.fixture
def viewing(make: Callable[..., Any], tmp_path: Path) -> Any:
    return make(camera=str(clip(tmp_path / "camera.mp4", frames=24)), viewers=3).test_client()


def joined(client: Any) -> str:
    return f"/api/camera/{client.post('/api/camera').json['viewer']}"


def newest(client: Any, viewer: str, after: int = 0) -> tuple[dict[str, Any], bytes]:
    answer = until(lambda: (a := client.get(f"{viewer}?after={after}")).status_code == 200 and a)
    return json.loads(answer.headers["X-Frame"]), answer.data


def test_one_thread_takes_pictures_for_all_viewers_and_ends_with_the_last(viewing: Any) -> None:
    assert camera_threads() == []
    viewers = [joined(viewing) for _ in range(3)]
    told, jpeg = newest(viewing, viewers[0])
    assert told["counts"] == {"with_mask": 1}
    assert (np.abs(images.read(jpeg).astype(int) - GREEN).sum(2) < 60).sum() > 50
    assert all(newest(viewing, viewer, told["number"])[0]["number"] > told["number"] for viewer in viewers)
    assert camera_threads().count("server's camera") == 1
    assert "face_masks_viewers 3\n" in viewing.get("/metrics").text
    full = viewing.post("/api/camera")
    assert full.status_code == 503 and "3 people" in full.json["error"]
    for viewer in viewers:
        assert camera_threads()
        assert viewing.delete(viewer).status_code == 204
    until(lambda: not camera_threads())
    assert viewing.get(viewers[0]).status_code == 404
    again = joined(viewing)
    newest(viewing, again)
    viewing.delete(again)
    until(lambda: not camera_threads())


def test_who_vanishes_without_a_word_has_left(tmp_path: Path) -> None:
    camera = Camera(clip(tmp_path / "a.mp4"), bright, unseen=0.2)
    camera.join()
    until(lambda: not camera_threads())
    assert camera.viewers == 0 and not camera.open


@pytest.mark.parametrize(
    ("source", "words"), [("missing.mp4", "no file"), (997, "camera 997"), ("broken.mp4", "cannot be read")]
)
def test_a_camera_that_gives_nothing_is_a_sentence(
    make: Callable[..., Any], tmp_path: Path, source: Any, words: str
) -> None:
    (tmp_path / "broken.mp4").write_bytes(bytes(100))
    client = make(camera=source if isinstance(source, int) else str(tmp_path / source)).test_client()
    answer = client.post("/api/camera")
    if answer.status_code == 201:  # a camera tells its trouble when it is read
        viewer = f"/api/camera/{answer.json['viewer']}"
        answer = until(lambda: (a := client.get(viewer)).status_code != 204 and a)
    assert answer.status_code == 502 and words in answer.json["error"].lower()
    until(lambda: not camera_threads())


def test_without_a_camera_there_is_none(client: Any) -> None:
    assert client.post("/api/camera").status_code == 404 and "tab-theirs" not in client.get("/").text


def test_a_detector_that_fails_lets_the_camera_go(make: Callable[..., Any], tmp_path: Path) -> None:
    def broken(rgb: np.ndarray) -> sv.Detections:
        raise RuntimeError("no")

    client = make(broken, camera=str(clip(tmp_path / "a.mp4"))).test_client()
    viewer = joined(client)
    assert until(lambda: (a := client.get(viewer)).status_code == 502 and a).json["error"].startswith("The detector")
    until(lambda: not camera_threads())


def test_a_camera_comes_and_goes_many_times(viewing: Any) -> None:
    for _ in range(20):
        viewing.delete(joined(viewing))
    until(lambda: not camera_threads())


# metrics


def test_metrics_count_what_happened(client: Any) -> None:
    client.post("/api/detect", data=png())
    client.post("/api/detect", data=b"no")
    client.get("/secret/../x")
    text = client.get("/metrics").text
    for line in (
        'face_masks_requests_total{route="/api/detect",status="200"} 1',
        'face_masks_requests_total{route="/api/detect",status="415"} 1',
        'face_masks_requests_total{route="other",status="404"} 1',
        'face_masks_faces_total{answer="with_mask"} 1',
        "# TYPE face_masks_videos gauge",
    ):
        assert f"{line}\n" in text


# over the wire


@pytest.fixture
def listen(make: Callable[..., Any]) -> Iterator[Callable[..., tuple[str, int]]]:
    """Servers on the loopback address: listen(**limits) → (host, port)."""
    running = []

    def start(detector: Any = bright, **options: Any) -> tuple[str, int]:
        server = web.Server(make(detector, **options), port=0)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        return server.host, server.port

    yield start
    for server, thread in running:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


def connect(at: tuple[str, int], text: str) -> socket.socket:
    connection = socket.create_connection(at, timeout=20)
    connection.sendall(text.encode())
    return connection


def heard(connection: socket.socket) -> str:
    """Everything that comes until the other side closes."""
    with connection:
        parts = []
        try:
            while part := connection.recv(65536):
                parts.append(part)
        except ConnectionResetError:
            pass
        return b"".join(parts).decode("latin-1")


HEAD = "Host: 127.0.0.1\r\nConnection: close\r\n"


def test_it_answers_over_the_wire(listen: Callable[..., tuple[str, int]]) -> None:
    content = png()
    connection = connect(listen(), f"POST /api/detect HTTP/1.1\r\n{HEAD}Content-Length: {len(content)}\r\n\r\n")
    connection.sendall(content)
    answer = heard(connection)
    assert answer.startswith("HTTP/1.1 200") and '"class":"with_mask"' in answer and "waitress" not in answer.lower()


def test_it_listens_to_this_machine_alone_unless_told() -> None:
    import inspect

    for function in (web.Server.__init__, web.serve):
        assert inspect.signature(function).parameters["host"].default == "127.0.0.1"
    host = next(p for p in main.serve.params if p.name == "host")
    assert host.default == "127.0.0.1"


@pytest.mark.parametrize(
    "start", ["GET / HTTP/1.1\r\nX: ", f"POST /api/detect HTTP/1.1\r\n{HEAD}Content-Length: 900\r\n\r\n"]
)
def test_a_client_that_trickles_is_answered_and_let_go(listen: Callable[..., tuple[str, int]], start: str) -> None:
    at = listen(patience=0.3)
    connection = connect(at, start)
    connection.settimeout(0.05)
    said = b""
    for _ in range(200):
        try:
            connection.sendall(b"a")
            said += connection.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            break
        if b"408" in said:
            break
    connection.close()
    assert re.match(rb"HTTP/1\.[01] 408 ", said)
    assert heard(connect(at, f"GET /health HTTP/1.1\r\n{HEAD}\r\n")).startswith("HTTP/1.1 200")


def test_a_client_that_says_nothing_is_let_go(listen: Callable[..., tuple[str, int]]) -> None:
    assert heard(connect(listen(patience=0.3), "GET / HTTP/1.1\r\n")) == ""


def test_a_large_body_is_refused_before_it_is_sent(listen: Callable[..., tuple[str, int]]) -> None:
    at = listen()
    for path, size in (("/api/detect", 40_000_000), ("/api/videos", 400_000_000), ("/api/camera", 40_000_000)):
        for more in ("", "Expect: 100-continue\r\n"):
            answer = heard(connect(at, f"POST {path} HTTP/1.1\r\n{HEAD}{more}Content-Length: {size}\r\n\r\n"))
            assert answer.startswith("HTTP/1.1 413"), path


def test_a_body_that_does_not_say_its_length_is_cut_off(listen: Callable[..., tuple[str, int]]) -> None:
    connection = connect(
        listen(picture_bytes=10_000), f"POST /api/detect HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n"
    )
    connection.sendall(b"2000\r\n" + bytes(0x2000) + b"\r\n2000\r\n" + bytes(0x2000) + b"\r\n")
    assert heard(connection).startswith("HTTP/1.1 413")


def test_without_the_password_no_large_body_is_taken(listen: Callable[..., tuple[str, int]]) -> None:
    at = listen(password="right")
    ask = f"POST /api/videos HTTP/1.1\r\n{HEAD}%sContent-Length: 1000000\r\n\r\n"
    assert heard(connect(at, ask % "")).startswith("HTTP/1.1 413")
    right = f"Authorization: {basic('right')['Authorization']}\r\n"
    connection = connect(at, ask % right)
    connection.sendall(bytes(1_000_000))
    assert heard(connection).startswith("HTTP/1.1 415")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (f"GET / HTTP/1.1\r\n{HEAD}X: {'a' * 20_000}\r\n\r\n", 431),
        (f"POST /api/detect HTTP/1.1\r\n{HEAD}Content-Length: minus one\r\n\r\n", 400),
        (f"POST /api/detect HTTP/1.1\r\n{HEAD}Transfer-Encoding: gzip\r\n\r\n", 501),
        ("\x16\x03\x01 this is TLS\r\n\r\n", 400),
        (f"GET /../../etc/passwd HTTP/1.1\r\n{HEAD}\r\n", 404),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421),
    ],
)
def test_broken_requests_are_answered(listen: Callable[..., tuple[str, int]], text: str, status: int) -> None:
    head, _, body = heard(connect(listen(), text)).partition("\r\n\r\n")
    assert re.match(rf"HTTP/1\.[01] {status} ", head) and "X-Content-Type-Options: nosniff" in head
    assert len(json.loads(body)["error"].split()) > 3


def test_only_so_many_bytes_are_on_their_way_at_once(listen: Callable[..., tuple[str, int]]) -> None:
    at = listen(arriving=500_000)  # half of it for one address
    ask = f"POST /api/videos HTTP/1.1\r\n{HEAD}Content-Length: %d\r\n\r\n"
    first = connect(at, ask % 200_000)
    first.sendall(bytes(1000))
    until(lambda: "Many are sending" in heard(connect(at, ask % 150_000)))
    content = png()
    small = connect(at, f"POST /api/detect HTTP/1.1\r\n{HEAD}Content-Length: {len(content)}\r\n\r\n")
    small.sendall(content)
    assert heard(small).startswith("HTTP/1.1 200")
    chunked = connect(at, f"POST /api/videos HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(OSError):  # the answer may come before all is sent
        for _ in range(20):
            chunked.sendall(b"2000\r\n" + bytes(0x2000) + b"\r\n")
    assert heard(chunked).startswith("HTTP/1.1 503")
    first.sendall(bytes(199_000))
    assert heard(first).startswith("HTTP/1.1 415")  # what was on its way is not disturbed
    again = connect(at, ask % 200_000)
    again.sendall(bytes(200_000))
    assert heard(again).startswith("HTTP/1.1 415")


def test_a_crowd_of_one_address_is_turned_away_and_comes_in_later(listen: Callable[..., tuple[str, int]]) -> None:
    at = listen(connections=8)
    silent = [connect(at, "GET / HTTP/1.1\r\n") for _ in range(4)]
    ask = f"GET /health HTTP/1.1\r\n{HEAD}\r\n"
    until(lambda: re.match(r'HTTP/1.1 503 (?s:.*)"error": "Many', heard(connect(at, ask))))
    for connection in silent:
        connection.close()
    until(lambda: heard(connect(at, ask)).startswith("HTTP/1.1 200"))


def test_a_client_that_does_not_read_keeps_nobody_waiting(
    listen: Callable[..., tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "THREADS", 1)
    at = listen()
    content = png(np.random.default_rng(0).integers(0, 255, (900, 900, 3), np.uint8))
    ask = f"POST /api/detect?picture=1 HTTP/1.1\r\n{HEAD}Content-Length: {len(content)}\r\n\r\n"
    lazy = [connect(at, ask) for _ in range(2)]
    for connection in lazy:
        connection.sendall(content)
    assert heard(connect(at, f"GET /health HTTP/1.1\r\n{HEAD}\r\n")).startswith("HTTP/1.1 200")
    for connection in lazy:
        connection.close()


def test_sigterm_ends_it_and_leaves_nothing(home: Path, tmp_path: Path) -> None:
    steps, app, seen = Stepping(), None, []
    app = web.create_app(steps)

    def ready(address: str) -> None:
        seen.append(address)
        assert not logging.getLogger("waitress.queue").isEnabledFor(logging.WARNING)  # a flood fills no terminal
        sent(app.test_client(), clip(tmp_path / "a.mp4"))
        assert files_in(home)
        steps.go.release(5)
        threading.Timer(0.2, lambda: (steps.go.release(50), os.kill(os.getpid(), signal.SIGTERM))).start()

    before = signal.getsignal(signal.SIGTERM)
    web.serve(app, port=0, ready=ready)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", seen[0]) and not list(home.iterdir())
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_address_in_use_is_said(make: Callable[..., Any], home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            web.serve(make(), port=taken.getsockname()[1])


# the command line


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(detect, "load", lambda *a, **k: bright)
    monkeypatch.setattr(main, "_pocket", lambda folder: None)
    monkeypatch.setattr(web, "create_app", lambda detector, **how: calls.append(how) or "app")
    monkeypatch.setattr(web, "serve", lambda app, **how: calls.append(how) or how["ready"]("http://here"))
    return calls


def test_serve_from_the_command_line(started: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.start(["serve", "--camera", "1", "--port", "0", "--name", "box"]) == 0
    assert started[0] == {"live": bright, "camera": 1, "password": "", "names": ["127.0.0.1", "box"], "pocket": None}
    assert started[1]["host"] == "127.0.0.1" and capsys.readouterr() == ("http://here  (Ctrl-C ends it)\n", "")


def test_an_open_server_without_a_password_is_warned_of(
    started: list[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main.start(["serve", "--host", "0.0.0.0"]) == 0
    assert "MASK_PASSWORD" in capsys.readouterr().err
    monkeypatch.setenv("MASK_PASSWORD", "x")
    assert main.start(["serve", "--host", "0.0.0.0"]) == 0
    assert capsys.readouterr().err == "" and started[2]["password"] == "x"
