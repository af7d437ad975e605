"""The page and its JSON interface, as a Flask application."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from flask import Flask, Response, jsonify, render_template, request, send_file, send_from_directory
from werkzeug.exceptions import HTTPException

from .. import classes
from .camera import Camera
from .guard import guard
from .jobs import Jobs
from .limits import Gate, Limits, Refused
from .metrics import Metrics
from .seeing import Trackers, as_text, decode, drawn, told

if TYPE_CHECKING:
    import supervision as sv

__all__ = ["create_app"]

POCKET_TYPES = {".js": "text/javascript", ".gzip": "application/octet-stream", ".tflite": "application/octet-stream",
                ".webmanifest": "application/manifest+json"}  # fmt: skip
POCKET_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
SHARED = Path(__file__).parent.parent / "static"  # what the webcam cell shows in its notebook


def create_app(
    detector: Callable[[np.ndarray], "sv.Detections"],
    *,
    live: Callable[[np.ndarray], "sv.Detections"] | None = None,
    camera: str | int | None = None,
    password: str = "",
    names: Collection[str] = (),
    limits: Limits | None = None,
    pocket: str | Path | None = None,
) -> Flask:
    """The application: page, /api/…, /health and /metrics, and /app where pocket is a folder of `app.build`.

    detector: rgb → sv.Detections, for any thread, such as `detect.MaskDetector`; live: a quicker one for videos and
    cameras. camera: what `video.open` opens, for the live picture of the server's; none is shown without. password:
    asked of everybody. names: host names by which this machine may be called. app.extensions["close"]() ends jobs and
    camera, and deletes every file.
    """
    limits, live = limits or Limits(), live or detector
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=limits.video_bytes, LIMITS=limits, PASSWORD=password)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    guard(app, password=password, names=names, limits=limits)
    jobs, metrics = Jobs(live, limits), Metrics()
    hub = None if camera is None else Camera(camera, live, most=limits.viewers)
    _answer_errors(app, metrics)
    _add_page(app, limits, camera=hub is not None)
    _add_pictures(app, (detector, live), metrics, limits)
    _add_videos(app, jobs)
    if hub is not None:
        _add_camera(app, hub)
    _add_metrics(app, metrics, jobs, hub)
    if pocket is not None:
        _add_pocket(app, Path(pocket).resolve())

    def close() -> None:
        jobs.close()
        if hub is not None:
            hub.close()

    app.extensions["close"] = close
    return app


def _answer_errors(app: Flask, metrics: Metrics) -> None:
    """Whatever is refused is a status and {"error": one sentence}."""

    @app.errorhandler(Refused)
    def refused(trouble: Refused) -> tuple[Response, int, dict[str, str]]:
        more = {503: {"Retry-After": "2"}, 429: {"Retry-After": "2"}}.get(trouble.status, {})
        if trouble.status == 401:
            more = {"WWW-Authenticate": 'Basic realm="face masks", charset="UTF-8"'}
        return jsonify(error=str(trouble)), trouble.status, more

    @app.errorhandler(HTTPException)
    def other(trouble: HTTPException) -> tuple[Response, int]:
        return jsonify(error=str(trouble.description)), trouble.code or 500

    @app.after_request
    def count(answer: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "other"
        metrics.add("requests_total", route=route, status=str(answer.status_code))
        return answer


def _add_page(app: Flask, limits: Limits, *, camera: bool) -> None:
    legend = [[name, classes.WORDS[name], f"rgb{classes.COLOURS[name]}"] for name in (*classes.NAMES, classes.UNSURE)]
    about = {
        "legend": legend,
        "camera": camera,
        "pictureBytes": limits.picture_bytes,
        "videoBytes": limits.video_bytes,
    }

    @app.get("/")
    def page() -> str:
        return render_template("page.html", about=json.dumps(about), camera=camera, limits=limits, legend=legend)

    @app.get("/static/shared/webcam.js")
    def shared() -> Response:
        return send_from_directory(SHARED, "webcam.js")


def _add_pictures(app: Flask, detectors: tuple[Any, Any], metrics: Metrics, limits: Limits) -> None:
    detector, live = detectors
    gate, trackers = Gate(limits.pictures), Trackers(live)

    @app.post("/api/detect")
    def detect() -> Response:
        """A picture as the body or as the form's `file` → JSON; ?picture=1 adds an annotated JPEG, in base64."""
        request.max_content_length = limits.picture_bytes
        watch = request.args.get("watch", "")
        if watch and not re.fullmatch(r"[\w-]{8,64}", watch):
            raise Refused(400, "watch: must be 8 to 64 letters, digits, - or _.")
        with gate():
            start = time.perf_counter()
            rgb = decode(_upload().read(), limits)
            people = trackers(watch, live(rgb)) if watch else detector(rgb)
            answer = told(rgb, people, start=start)
            if _asked("picture"):
                answer["picture"] = as_text(drawn(rgb, people, blur=_asked("blur")))
        metrics.add("looking_seconds_total", answer["milliseconds"] / 1000)
        for name, count in answer["counts"].items():
            metrics.add("faces_total", count, answer=name)
        return jsonify(answer)


def _add_videos(app: Flask, jobs: Jobs) -> None:
    @app.post("/api/videos")
    def take() -> tuple[Response, int]:
        return jsonify(jobs.add(_upload(), blur=_asked("blur")).row()), 202

    @app.get("/api/videos/<name>")
    def state(name: str) -> Response:
        return jsonify(jobs.get(name).row())

    @app.delete("/api/videos/<name>")
    def cancel(name: str) -> tuple[str, int]:
        jobs.cancel(name)
        return "", 204

    @app.get("/api/videos/<name>/<any('annotated.mp4', 'answers.json'):file>")
    def result(name: str, file: str) -> Response:
        job = jobs.get(name)
        if job.state != "done":
            raise Refused(409, "The video is not done yet.")
        path = job.clip if file == job.clip.name else job.answers
        answer = send_file(path, conditional=True)
        answer.headers.pop("Content-Disposition")  # the page knows the name under which it is to be saved
        return answer


def _add_camera(app: Flask, hub: Camera) -> None:
    @app.post("/api/camera")
    def join() -> tuple[Response, int]:
        return jsonify(viewer=hub.join()), 201

    @app.get("/api/camera/<viewer>")
    def frame(viewer: str) -> tuple[Response | str, int]:
        """The newest picture after number ?after, as a JPEG with boxes; 204 where there is none yet."""
        shown = hub.frame(viewer, after=request.args.get("after", 0, type=int))
        if shown is None:
            return "", 204
        jpeg = shown.jpeg(blur=_asked("blur"))
        counts = Counter(str(name) for name in shown.people.data["class_name"])
        answer = Response(jpeg, mimetype="image/jpeg")
        answer.headers["X-Frame"] = json.dumps({"number": shown.number, "counts": counts})
        return answer, 200

    @app.delete("/api/camera/<viewer>")
    def leave(viewer: str) -> tuple[str, int]:
        hub.leave(viewer)
        return "", 204


def _add_metrics(app: Flask, metrics: Metrics, jobs: Jobs, hub: Camera | None) -> None:
    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    def text() -> Response:
        now: dict[str, Any] = {"videos": {f'state="{s}"': n for s, n in Counter(jobs.states()).items()}}
        if hub is not None:
            now |= {"viewers": {"": hub.viewers}, "camera_open": {"": int(hub.open)}}
        return Response(metrics.text(now), mimetype="text/plain; version=0.0.4")


def _add_pocket(app: Flask, folder: Path) -> None:
    """The phone's app: files of a folder, isolated from other origins so that the browser gives it threads."""

    @app.get("/app")
    def slash() -> tuple[str, int, dict[str, str]]:
        return "", 308, {"Location": "app/"}

    @app.get("/app/", defaults={"file": "index.html"})
    @app.get("/app/<path:file>")
    def pocket(file: str) -> Response:
        answer = send_from_directory(folder, file, mimetype=POCKET_TYPES.get(Path(file).suffix))
        answer.headers["Cross-Origin-Embedder-Policy"] = "require-corp"
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["Content-Security-Policy"] = POCKET_POLICY
        return answer


def _upload() -> BinaryIO:
    """What was sent: the `file` of a form, or the body itself. Its name and type are never looked at."""
    if request.mimetype == "multipart/form-data":
        if "file" not in request.files:
            raise Refused(400, "The form has no field `file`.")
        return request.files["file"].stream  # type: ignore[return-value]
    return request.stream  # type: ignore[return-value]


def _asked(what: str) -> bool:
    return request.args.get(what, "") in ("1", "yes", "true")
