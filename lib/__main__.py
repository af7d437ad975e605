"""`python -m lib COMMAND`: the same rooms as the notebooks use, from a terminal."""

import json
import sys
from pathlib import Path
from typing import Any

import click

STDOUT = Path("-")  # as the name of a file


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The face-mask workbench: crawl, mask, label, train, detect; `run` does the whole workflow in notebooks.

    A command that was called wrongly, or given something that cannot be used, ends with code 2 and one sentence.
    """


@main.command()
@click.option(
    "--need", type=click.Choice(["use", "run", "test"]), help="Print only what is missing for this, if anything."
)
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
def doctor(need: str | None, as_json: bool) -> None:
    """What is here, what is missing, and the command that mends it. Ends with code 1 where something essential is."""
    from . import doctor as room

    findings = room.examine(need or "run")
    if as_json:
        click.echo(json.dumps([f.row() for f in findings], indent=1))
    else:
        text = room.report([f for f in findings if f.state == "broken"] if need else findings)
        click.echo(text, nl=bool(text))
    click.get_current_context().exit(any(f.state == "broken" for f in findings))


@main.command()
@click.option("--data", default="", help="A folder of your own photos; without it, the sample people.")
@click.option("--quick", is_flag=True, help="Fewer people and steps: a look at the whole in a minute or two.")
def run(data: str, quick: bool) -> None:
    """Run notebooks 01 to 05 in order, and say what came out (this is `make run`)."""
    from . import run as room

    work = room.workspace_for(data)
    room.execute(work, data=data or None, quick=quick, say=click.echo)
    click.echo(room.summary(work))


@main.command()
def notebooks() -> None:
    """Run all notebooks on the sample and keep their outputs in notebooks/ (this is `make notebooks`)."""
    from . import run as room

    for path in room.keep_outputs(say=click.echo):
        click.echo(f"{path.stat().st_size / 1e3:6.0f} kB  {path.name}")


_finder = click.option("--finder", type=click.Choice(["both", "one-look", "yunet", "res10", "hog"]),
                       help="Another face finder than the card names.")  # fmt: skip
_detector = click.option(
    "--detector", help="both: YuNet and one look find, MobileNetV2 names; yunet+mobilenet; one-look: one network, no "
    "download; one-look-small; or the path of a one-look card.  [default: both, as the card says]",
)  # fmt: skip


@main.command()
@click.argument("source")
@click.option("--model", help="A shipped model's name, or the path of a card.  [default: full]")
@_finder
@_detector
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Leave out lower scores; a low one brings doubtful faces as well, "
    "as average precision wants them.  [default: what the finder is sure of]",
)
@click.option("--look", type=click.IntRange(min=32), help="Pixels of the longer side at which faces are looked for: "
              "more find smaller ones and take longer; YuNet's alone, unless --detector both.  [default: the "
              "card's; 480 for clips and cameras]")  # fmt: skip
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the answers here; - prints them, and all words go to standard error.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Annotated photo, clip (.mp4), or folder of photos.")
@click.option("--events", type=click.Path(dir_okay=False, path_type=Path),
              help="Who came, changed and left, as it happens: JSONL, or CSV by the name.")  # fmt: skip
@click.option("--counts", type=click.Path(dir_okay=False, path_type=Path),
              help="CSV of how many people with each label, one row a frame.")  # fmt: skip
@click.option("--alarm", help="A program to start when somebody is seen without a mask; its last argument is JSON.")
@click.option("--hold-off", type=click.FloatRange(min=0), default=30.0, show_default=True,
              help="Seconds for which the alarm then stays silent.")  # fmt: skip
@click.option("--blur", is_flag=True, help="Make the faces in what is written unrecognisable.")
@click.option("--show", is_flag=True, help="Show it in a window (q ends it).")
@click.option("--force", is_flag=True, help="Replace files that are there already (never what is read).")
def detect(
    source: str, model: str | None, finder: str | None, detector: str | None, look: int | None, **options: Any
) -> None:
    """Find faces and say with, without or worn incorrectly.

    SOURCE is a photo, a folder of photos, a video file, a camera's number (0) or a part of its name, a stream's
    address, or - for a video on standard input. Ctrl-C ends a camera or clip early, and what was written plays.
    Ends with code 1 where a camera or stream broke off, or the disk was full.

    --json writes {"file name": [[x1, y1, x2, y2, score, "class"], …]} in pixels of the upright photo; score is how
    sure the finder is of the face times the probability of the class. Of a clip it writes {"file name": [{"seconds":
    …, "faces": [[…, person], …]}, …]}.

    \b
    python -m lib detect photo.jpg --out boxes.jpg
    python -m lib detect 0 --show
    python -m lib detect rtsp://camera/stream --events log.csv --alarm ./ring.sh
    ffmpeg … -f matroska - | python -m lib detect - --out annotated.mp4
    """
    from . import detect as room
    from . import faces, files, images, video

    path = Path(source)
    still = path.is_dir() or path.suffix.lower() in images.SUFFIXES
    if still and not path.exists():
        raise FileNotFoundError(f"{source}: there is no such file or folder")
    inputs = [path, *(images.find(path) if path.is_dir() else ())]
    for text in ("json_path", "events", "counts"):  # may be written anew, but not over a photo or a clip
        known = options[text] is None or options[text].suffix.lower() not in images.SUFFIXES | video.SUFFIXES
        if options[text] != STDOUT:
            files.spare(options[text], *inputs, force=known or None)
    if not still:
        files.spare(options["out"], *inputs, force=options["force"])
    elif options["out"] and options["out"].suffix.lower() in video.SUFFIXES:
        raise ValueError(f"--out: {options['out'].name} is the name of a clip; for photos name a folder or a photo")
    side = look or (None if still else faces.LIVE)
    model, finder = room.chosen(detector, model, finder)
    loaded = room.load(model, find=finder, max_side=side, doubt=options["threshold"])
    options["threshold"] = options["threshold"] or 0.0
    (_detect_photos if still else _detect_video)(source, loaded, **options)


def _detect_photos(source: str, detector: Any, *, threshold: float, json_path: Path | None, out: Path | None,
                   show: bool, force: bool, blur: bool, **moving: Any) -> None:  # fmt: skip
    from tqdm import tqdm

    from . import detect, images, plots, screen
    from .blur import blurred

    for name in ("events", "counts", "alarm"):
        if moving[name]:
            raise ValueError(
                f"--{name}: tells who comes and leaves in a clip or before a camera; a photo has no such thing"
            )
    root = Path(source) if Path(source).is_dir() else None
    photos = images.find(root) if root else [Path(source)]
    if not photos:
        raise ValueError(f"{source}: holds no images ({', '.join(sorted(images.SUFFIXES))})")
    bar = tqdm if root and sys.stderr.isatty() else None
    how: dict[str, Any] = {"root": root, "out": out, "threshold": threshold, "blur": blur, "force": force}
    seen, skipped = detect.look(photos, detector, **how, progress=bar)
    for photo in seen:
        click.echo(f"{photo.name}: {photo.words}", err=json_path == STDOUT)
    for row in skipped:
        click.echo(f"left out {row['item']}: {row['reason']}", err=True)
    _write_json(json_path, {photo.name: photo.answers for photo in seen})
    if not seen:
        raise ValueError(f"{source}: no photo could be read")
    if show:
        rgb = images.read(photos[0])
        found = detector(rgb)
        screen.show(plots.annotate(blurred(rgb, found.xyxy) if blur else rgb, found), title=photos[0].name)


def _detect_video(source: str, detector: Any, *, threshold: float, json_path: Path | None, out: Path | None,
                  show: bool, events: Path | None, counts: Path | None, blur: bool, alarm: str | None,
                  hold_off: float, **unused: Any) -> None:  # fmt: skip
    import signal

    from tqdm import tqdm

    from . import files, video

    bell = video.Alarm(_program(alarm), hold_off=hold_off) if alarm else None
    opened = video.open(source)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service that is stopped ends as by Ctrl-C
    try:
        watched = video.annotate(opened, detector, out=out, events=events, blur=blur, show=show, alarm=bell,
                                 progress=tqdm if sys.stderr.isatty() else None)  # fmt: skip
    finally:
        signal.signal(signal.SIGTERM, before)
    click.echo(watched.words(), err=json_path == STDOUT)
    _write_json(json_path, {opened.name: watched.answers(threshold=threshold)})
    if counts:
        files.write(counts, video.counts(watched).to_csv(index=False))
    click.get_current_context().exit(watched.ended not in ("end", "interrupted"))


def _write_json(path: Path | None, content: Any) -> None:
    from . import files

    if path == STDOUT:
        click.echo(json.dumps(content))
    elif path:
        files.write(path, json.dumps(content))


def _program(command: str) -> Any:
    """What starts a program with one more argument, a dict as JSON, and does not wait for it."""
    import shlex
    import shutil
    import subprocess
    import threading

    words = shlex.split(command)
    if not words or shutil.which(words[0]) is None:
        raise ValueError(f"--alarm: there is no program {command!r}; name one that can be run, with ./ in this folder")

    def ring(told: dict[str, Any]) -> None:
        how: dict[str, Any] = {"args": [*words, json.dumps(told)], "stdin": subprocess.DEVNULL}
        threading.Thread(target=subprocess.run, kwargs=how, daemon=True).start()  # somebody has to wait for its end

    return ring


@main.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Listen here; 0.0.0.0 is every network you are in."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any free one.")
@click.option("--model", help="A shipped model's name, or the path of a card.  [default: full]")
@_finder
@_detector
@click.option("--camera", help="Also show this machine's camera (its number), a clip or a stream's address.")
@click.option("--password", envvar="MASK_PASSWORD", default="", help="Ask for it; better set as MASK_PASSWORD.")
@click.option("--name", "names", multiple=True, help="A host name by which browsers may call this machine.")
@click.option("--app", "pocket", type=click.Path(exists=True, file_okay=False),
              help="The folder of the phone's app, at /app; without it one is built, if it can be.")  # fmt: skip
def serve(host: str, port: int, model: str | None, finder: str | None, detector: str | None, camera: str | None,
          password: str, names: tuple[str, ...], pocket: str | None) -> None:  # fmt: skip
    """A web page on which pictures, videos and cameras are looked at, and a JSON API: POST /api/detect.

    Only this machine reaches it unless --host says otherwise. Nothing that is uploaded is kept. Browsers give their
    camera only to http://localhost and https://; from another machine: ssh -L 8000:localhost:8000 HERE. Ctrl-C ends it.
    /app is the app of `python -m lib app`, which looks at pictures in the browser itself.
    """
    import contextlib
    import tempfile

    import numpy as np

    from . import detect as room
    from . import faces, web

    model, finder = room.chosen(detector, model, finder)

    def looking(side: int | None) -> Any:
        loaded = room.load(model, find=finder, max_side=side)
        loaded(np.zeros((64, 64, 3), np.uint8))  # what is loaded late is loaded now, not while somebody waits
        return loaded

    source = int(camera) if camera and camera.isdigit() else camera
    with contextlib.ExitStack() as until:
        if pocket is None:
            pocket = _pocket(Path(until.enter_context(tempfile.TemporaryDirectory())) / "app")
        app = web.create_app(looking(None), live=looking(faces.LIVE), camera=source, password=password,
                             names=[host, *names], pocket=pocket)  # fmt: skip
        if not password and host not in ("127.0.0.1", "localhost", "::1"):
            click.echo("Everybody in the network may use it: set MASK_PASSWORD to ask for a password.", err=True)
        web.serve(app, host=host, port=port, ready=lambda address: click.echo(f"{address}  (Ctrl-C ends it)"))


def _pocket(folder: Path) -> str | None:
    """The phone's app in that folder, or None; `python -m lib app` says why."""
    from . import app, assets

    try:
        return str(app.build(folder))
    except assets.AssetMissing:
        return None


@main.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="The folder: new, empty, or an app's.")
@click.option("--model", help="A one-look model's name, or the path of a card.  [default: one-look-small or one-look]")
@click.option("--fetch", is_flag=True, help="Fetch the pinned runtime with npm first; with a network, once.")
def app(out: Path | None, model: str | None, fetch: bool) -> None:
    """The app for a phone: a static folder that looks for masks in the browser, offline, and sends nothing anywhere.

    Put the folder on any https:// host, also under a sub-path, and open it once; or `python -m lib serve` shows it
    at /app. It needs a one-look model and the runtime (make app-runtime, or --fetch).
    """
    from . import app as room

    if not out and not fetch:
        raise ValueError("--out: name the folder to write")
    if fetch:
        click.echo(f"runtime: {room.fetch()}")
    if out:
        made = room.build(out, model=model)
        about = json.loads((made / "about.json").read_text(encoding="utf-8"))
        first = sum(entry["bytes"] for name, entry in about["files"].items()
                    if not name.startswith("runtime/") or "threaded" in name)  # fmt: skip
        click.echo(
            f"{made}: model {about['model']['name']}, version {about['version']}, first load {first / 1e6:.1f} MB"
        )


@main.command()
@click.argument("queries", nargs=-1, required=True)
@click.option("--label", default="", help="The class that the queries promise, such as with_mask.")
@click.option("--engine", "engines", multiple=True, default=["bing"], show_default=True,
              help="bing, google, baidu, flickr, site, urls or gallery; may be given several times.")  # fmt: skip
@click.option("--limit", default=100, show_default=True, help="Images of each query and engine.")
@click.option("--out", default="data/crawl", show_default=True, help="The workspace: raw/ and manifest.sqlite.")
@click.option("--min-side", default=1, show_default=True, help="Leave out images whose shorter side has fewer pixels.")
@click.option("--total", default=5000.0, show_default=True, help="Megabytes of all images together.")
@click.option("--language", help="Only results in this language, such as de (bing, google).")
@click.option("--licence", help="creativecommons, publicdomain, commercial or noncommercial (bing, google, flickr).")
@click.option("--delay", default=0.5, show_default=True, help="Seconds between two requests to one host.")
@click.option("--user-agent", help="Who asks; best with an address where you can be reached.")
@click.option("--address", help="Another results page than the engine's own; for gallery its only one.")
@click.option("--allow-private", is_flag=True, help="Images may lie on this machine or in your own network.")
def crawl(queries: tuple[str, ...], label: str, engines: tuple[str, ...], out: str, **options: Any) -> None:
    """Download images, each with its source; what is there already is not fetched again.

    QUERIES are phrases, each for the class of --label or for its own: with_mask="person in a mask" bare="portrait". For
    --engine site give the address of a page (its robots.txt is followed), for urls a file with one address a line.
    """
    from tqdm import tqdm

    from . import crawl as room
    from .workspace import Workspace

    asked: dict[str, list[str]] = {}
    for query in queries:
        name, phrase = _promised(query, label)
        asked.setdefault(name, []).append(phrase)
    bar = tqdm if sys.stderr.isatty() else None
    report = room.crawl_all(
        asked,
        engines=list(dict.fromkeys(engines)),
        into=Workspace(out),
        limits=_limits(options),
        progress=bar,
        **options,
    )
    report.insert(report.columns.get_loc("why"), "MB", (report.pop("bytes") / 1e6).round(1))
    click.echo(report.to_string(index=False))
    if len(report) > 1:
        numbers = report.columns[report.columns.get_loc("parsed") : report.columns.get_loc("why")]
        click.echo(
            "\n" + report.groupby("engine", sort=False)[list(numbers)].sum().reset_index().to_string(index=False)
        )


def _promised(query: str, label: str) -> tuple[str, str]:
    """The class that a query promises and its phrase: CLASS=PHRASE, or a phrase for the class of --label."""
    from . import classes

    name, equals, phrase = query.partition("=")
    if equals and phrase.strip():
        try:
            return classes.canonical(name), phrase.strip()
        except ValueError:
            pass  # an address or a phrase with an equals sign in it
    return classes.canonical(label) if label else "", query


def _limits(options: dict[str, Any]) -> Any:
    """What a crawl may cost, out of the options of the command line, which lose these."""
    from .crawl import Limits

    agent = options.pop("user_agent")
    said = {"side": options.pop("min_side"), "total": options.pop("total") * 1e6, "delay": options.pop("delay")}
    return Limits(**said, user_agent=agent or Limits.user_agent)


@main.command()
@click.argument("what", required=False)
@click.option("--work", "works", multiple=True, type=click.Path(path_type=Path),
              help="The workspace; may be given several times.  [default: all below data/]")  # fmt: skip
@click.option("--copies", is_flag=True, help="Near-copies that were found go too.")
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@click.option("--undo", is_flag=True, help="Let WHAT be crawled again; what was deleted stays deleted.")
@click.option("--yes", is_flag=True, help="Do not ask first; needed where nobody can be asked.")
def forget(what: str | None, works: tuple[Path, ...], copies: bool, dry_run: bool, undo: bool, yes: bool) -> None:
    """Take an image out for good: the file, its copies, labels, crops, pages that may show it, and its rows.

    WHAT is an image's address, a hash (8 digits or more) or a file. Its hash and addresses are remembered, so that no
    later crawl brings it back. A photo of your own stays where it is and loses its rows only. Without WHAT, take-downs
    that were interrupted are finished.
    """
    from . import takedown as room
    from .workspace import Workspace

    found = works or tuple(sorted(path.parent for path in Path("data").glob("*/manifest.sqlite")))
    missing = next((w for w in found if not (w / "manifest.sqlite").is_file()), None)
    if missing or not found:
        raise ValueError(
            f"forget: there is no workspace (manifest.sqlite) in {missing or 'data/'}; name it with --work"
        )
    spaces = [Workspace(path) for path in found]
    if undo:
        if not what:
            raise ValueError("forget: --undo needs the full hash, the address or the file that may come in again")
        count = sum(room.readmit(what, work=work) for work in spaces)
        if not count:
            raise ValueError(f"forget: {what} is not on the list; give a full hash, an address or a file")
        click.echo(f"{count} hashes and addresses taken off the list: a crawl may bring them in again")
        return
    left = 0 if dry_run else sum(room.resume(work) for work in spaces)
    if what:
        left += _forget(what, spaces, copies=copies, dry_run=dry_run, yes=yes)
    if left:
        raise OSError(f"{left} not finished: some files would not go; mend that and run forget once more")


def _forget(what: str, spaces: list[Any], *, copies: bool, dry_run: bool, yes: bool) -> int:
    """List, ask, remove, in each workspace; in how many something would not go."""
    from . import takedown as room

    plans = room.plans(what, spaces, copies=copies)
    for wish in plans:
        for file, kind, fate in wish.rows:
            click.echo(f"{fate:14} {kind:24} {file}")
        for remark in wish.remarks:
            click.echo(f"{wish.work.root}: {remark}")
    gone = sum(fate == room.GONE for wish in plans for _, _, fate in wish.rows)
    if dry_run:
        click.echo(f"{gone} files would be deleted; nothing was touched")
        return 0
    if gone and not yes and not sys.stdin.isatty():
        raise ValueError("forget: nobody is here to be asked; look at the list and say --yes")
    if gone and not yes:
        click.confirm(f"delete {gone} files for good?", abort=True)
    tables = [room.carry_out(wish) for wish in plans]
    if not any(wish.rows for wish in plans):
        click.echo("nothing of that name is here; it is remembered all the same, so that no crawl brings it in")
        return 0
    done = sum(int(table["done"][table["fate"].eq(room.GONE)].sum()) for table in tables)
    click.echo(f"{done} files deleted; what they were called is remembered, so that no crawl brings them back")
    return sum(bool((~table["done"] & table["fate"].ne(room.LEFT)).any()) for table in tables)


@main.command()
@click.argument("photos", type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where the copies go.")
@click.option("--margin", type=click.FloatRange(0), default=0.25, show_default=True,
              help="Widen each box by this share on every side.")  # fmt: skip
@click.option("--min-score", type=click.FloatRange(0, 1), default=0.3, show_default=True,
              help="Lower hides more, and more that is no face.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace copies of an earlier run (never a photo).")
def blur(photos: Path, out: Path, margin: float, min_score: float, force: bool) -> None:
    """Copy PHOTOS (a folder or one photo) with all faces pixelated and no EXIF, place or date in them.

    A face finder overlooks faces. Photos in which it found none are listed, and their copies lie apart, in
    no-face-found/; copies.csv counts the faces of each. Look at all copies before you give them away. The photos stay
    as they are.
    """
    from tqdm import tqdm

    from . import blur as room
    from . import detect, faces, files, images

    found = images.find(photos) if photos.is_dir() else [photos]
    if photos.resolve() in out.resolve().parents:  # an earlier run's copies are no photos
        found = [p for p in found if not p.resolve().is_relative_to(out.resolve())]
    if not found:
        raise ValueError(f"{photos}: holds no images ({', '.join(sorted(images.SUFFIXES))})")
    files.spare(out / "copies.csv", force=force)
    finders = [faces.finder(min_score=min_score, max_side=side) for side in room.SIDES]
    finders.append(detect.finder("one-look", min_score=min_score))  # it finds what a mask hides from the others
    table, skipped = room.copies(
        found, into=out, root=photos if photos.is_dir() else None, find=room.thorough(finders), margin=margin,
        force=force, progress=tqdm if sys.stderr.isatty() else None,
    )  # fmt: skip
    for row in skipped:
        click.echo(f"left out {row['item']}: {row['reason']}", err=True)
    if table.empty:
        raise ValueError(f"{photos}: no photo could be read")
    files.write(out / "copies.csv", table.to_csv(index=False))
    none = table[table["faces"].eq(0)]
    for photo in none["photo"]:
        click.echo(f"no face found in {photo}")
    click.echo(
        f"{len(table)} copies in {out}: {table['faces'].sum()} boxes pixelated, {len(none)} without a face found"
    )


def _photos(source: str) -> tuple[list[Path], Path]:
    """The photos of a folder, or the one photo named, and the folder that they lie in."""
    from . import images

    path = Path(source)
    found = images.find(path) if path.is_dir() else [path]
    if not found or found[0].suffix.lower() not in images.SUFFIXES:
        raise ValueError(f"{source}: no images in it ({', '.join(sorted(images.SUFFIXES))})")
    return found, path if path.is_dir() else path.parent


@main.command()
@click.argument("photos", type=click.Path(exists=True))
@click.option("--out", required=True, help="The workspace: masked/ and manifest.sqlite.")
@click.option("--per-face", default=1, show_default=True, help="Masked copies of each face.")
@click.option("--style", "styles", multiple=True,
              help="Only this style, or a transparent PNG (several times); a name that is none lists all.")  # fmt: skip
@click.option("--wear", "wears", multiple=True,
              help="Only this way of wearing (several times): with_mask, nose_out, mouth_out, under_chin, chin_out, "
                   "pushed_up, hanging, loose, upside_down.")  # fmt: skip
@click.option("--scarf-as", default="without_mask", show_default=True, help="The class of scarves over mouth and nose.")
@click.option("--look-alikes", "lookalikes", default=0.0, show_default=True,
              help="Share of pictures with a hand, a beard, a cup … in place of a mask.")  # fmt: skip
@click.option(
    "--check", is_flag=True, help="Ask the shipped model first, and leave photos out where a mask may be worn."
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True,
              help="Processes that draw at the same time.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def mask(photos: str, out: str, check: bool, workers: int, **options: Any) -> None:
    """Put artificial masks on the bare faces of a folder of PHOTOS: pictures, Pascal VOC files and pixel masks.

    Every face in PHOTOS is taken as bare, the ones beside the masked face too; where you are not sure, give --check.
    The photos stay as they are; a run that was ended goes on where it was.
    """
    from collections import Counter
    from concurrent.futures import ProcessPoolExecutor
    from contextlib import nullcontext

    from tqdm import tqdm

    from . import faces, labels, landmarks, masks
    from .workspace import Workspace

    bar = tqdm if sys.stderr.isatty() else None
    bare, aside = _bare(_photos(photos)[0], progress=bar) if check else (_photos(photos)[0], [])
    with ProcessPoolExecutor(workers) if workers > 1 else nullcontext() as pool:
        made, skipped = masks.generate(
            bare, into=Workspace(out), find=faces.finder(), locate=landmarks.finder(), refuse=landmarks.implausible,
            write_labels=labels.write_voc, executor=pool, progress=bar, **options,
        )  # fmt: skip
    left = Counter((row["item"], row["reason"], "box" in row) for row in aside + skipped)
    for (item, reason, face), count in left.items():
        of = f"{count} face{'s' * (count > 1)} of " if face else ""
        click.echo(f"left out {of}{item}: {reason}", err=True)
    counts = made.loc[made["origin"] == "artificial", "label"].value_counts()
    told = ", ".join(f"{count} {label}" for label, count in counts.items())
    click.echo(f"{made['image'].nunique()} pictures in {Workspace(out).masked}" + f": {told}" * bool(told))


def _bare(photos: list[Path], *, progress: Any) -> tuple[list[Path], list[dict[str, Any]]]:
    """The photos on which the shipped model sees bare faces only, and the others as rows with their reason."""
    import pandas as pd

    from . import dataset, detect, images, labels

    kept = pd.DataFrame({"path": photos, "sha256": [images.sha256(p) for p in photos], "label": ""})
    bare, aside = dataset.bare(kept, labels.table(), ask=detect.MaskDetector.load("full"), progress=progress)
    return list(bare["path"]), aside


@main.command()
@click.argument("photos", type=click.Path(exists=True))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Where the VOC files go.")
@click.option("--model", help="The model that draws the first boxes.  [default: full]")
@_detector
@click.option("--labelimg", is_flag=True, help="Open the labelImg window on them, in a process of its own.")
@click.option("--roi", "label", help="Draw boxes of this class on one photo in OpenCV's window.")
def label(
    photos: str, out: Path | None, model: str | None, detector: str | None, labelimg: bool, label: str | None
) -> None:
    """Box and class the faces of PHOTOS, as Pascal VOC; what a person drew or corrected is never overwritten.

    PHOTOS is a folder or one photo. Without --out the VOC files go beside the photos, as labelImg puts them.
    """
    from tqdm import tqdm

    from . import detect, prelabel

    if label and labelimg:
        raise ValueError("--roi and --labelimg are two windows; give one of them")
    if label:
        if Path(photos).is_dir():
            raise ValueError(f"--roi: draws on one photo, and {photos} is a folder; name a photo in it")
        faces = prelabel.roi(photos, label=label, into=out or Path(photos).parent)
        click.echo(f"{len(faces)} boxes")
    elif labelimg:
        window = prelabel.label_img(photos, into=out)
        click.echo("labelImg is open; W draws a box, Ctrl+S saves, D opens the next photo")
        window.wait()
    else:
        model, finder = detect.chosen(detector, model)
        bar = tqdm if sys.stderr.isatty() else None
        found, root = _photos(photos)
        faces, skipped = prelabel.prelabel(
            found, detect.load(model, find=finder), into=out or root, root=root, progress=bar
        )
        for row in skipped:
            click.echo(f"left out {row['item']}: {row['reason']}", err=True)
        click.echo(f"{len(faces)} faces of {faces['image'].nunique()} photos in {out or root}")


_corrections = click.option(
    "--corrections", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Correct these labels on reading (CSV: file,x1,y1,x2,y2,old,new; such as models/corrections.csv).",
)  # fmt: skip


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--to", required=True, type=click.Choice(["voc", "yolo", "coco", "crops"]), help="The format to write.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder for labels and photos.")
@_corrections
def convert(folder: Path, to: str, out: Path, corrections: Path | None) -> None:
    """Copy a FOLDER of labelled photos in another format: Pascal VOC, YOLO, COCO, or crops in class folders.

    Any mix of the four is read. What cannot be used is listed with file and line; the rest is written. FOLDER stays as
    it is, and --out must be new or empty.
    """
    from tqdm import tqdm

    from . import labels

    bar = tqdm if sys.stderr.isatty() else None
    made, problems = labels.convert(folder, to=to, into=out, corrections=corrections, progress=bar)
    for row in problems.itertuples():
        click.echo(f"{row.file}:{row.line}: {row.reason}" if row.line else f"{row.file}: {row.reason}", err=True)
    read = ", ".join(f"{count} {name}" for name, count in made.attrs["formats"].items())
    click.echo(f"photos read by format: {read or 'none'}")
    if corrections:
        click.echo(f"{made.attrs['corrected']} labels corrected by {corrections.name}")
    click.echo(f"{len(made)} faces of {made.attrs['photos']} photos as {to} in {out}")


@main.command()
@click.option(
    "--recipe", type=click.Choice(["full", "small"]), default="full", show_default=True, help="The model to train."
)
@click.option("--detector", type=click.Choice(["one-look", "one-look-small"]),
              help="Train this detector instead, which finds faces and names them at once; needs --cache.")  # fmt: skip
@click.option("--with", "changes", default="", help="Fields of the detector's plan, as in 'epochs=20 size=320'.")
@click.option("--data", required=True, type=click.Path(exists=True), help="The public sets' folder.")
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Where the model, card and curves go.")
@click.option("--cache", type=click.Path(file_okay=False), help="Keep boxes, groups and crops here for the next time.")
@click.option("--logdir", type=click.Path(file_okay=False), help="Also write a log for TensorBoard here.")
@click.option("--sweep", help="Try many plans instead: a TOML file, or words as in 'rate=1e-4,1e-3 batch=16,32'.")
@click.option("--seed", default=0, show_default=True, help="Another chance: split, network and order of the faces.")
@click.option("--everything", is_flag=True, help="photos-853 teaches too: RECIPE-all, which nothing there measures.")
def train(recipe: str, data: str, out: str, seed: int, everything: bool, **options: str | None) -> None:
    """Train a model that ships: faces-4k, photos-labelled, photos-worn-incorrectly and photos-bare below --data.

    Up to an hour on two cores; a run that was ended goes on where it was. Your own photos are trained by
    notebook 04, or make run DATA=photos. --sweep trains every combination of what it names (fields of train.Plan, and
    rate for both stages), looks at validation alone, and writes sweep.csv, sweep.json and sweep.png; --data may then
    also be a table of faces with a split (.parquet). --detector trains the one-look detector, which takes hours.
    """
    import logging
    import multiprocessing
    import os
    from concurrent.futures import ProcessPoolExecutor

    from tqdm import tqdm

    from . import train as room

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cache, logdir, sweep = (options[name] for name in ("cache", "logdir", "sweep"))
    if sweep:
        _sweep(data, out, cache, room.grid(sweep))
        return
    if options["detector"]:
        _one_look(options["detector"], data, out, cache, options["changes"] or "")
        return
    context = multiprocessing.get_context("spawn")  # a fork of TensorFlow's threads may hang
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        done = room.recipe(data, into=out, name=recipe, cache=cache, logdir=logdir, executor=pool,
                           progress=tqdm if sys.stderr.isatty() else None, seed=seed,
                           everything=everything)  # fmt: skip
    click.echo(json.dumps(done.card["measures"], indent=1))
    click.echo(room.speed(done.history))


def _one_look(name: str, data: str, out: str, cache: str | None, changes: str) -> None:
    from tqdm import tqdm

    from . import evaluate
    from .train import onelook as room

    if not cache:
        raise ValueError("--detector: needs --cache, a folder for some 2 GB of decoded photos and drawn masks")

    def judge(truth: Any, answers: Any) -> dict[str, float]:
        said = evaluate.score(truth, answers, min_side=12, threshold=0.3)
        figures = {"map50": said["map50_voc_three_classes"], "map50_both": said["map50_voc_with_without"]}
        return figures | {"recall": said["face_recall"], "precision": said["face_precision"]}

    plan = room.changed(room.SMALL_LOOK if name == "one-look-small" else room.LookPlan(), changes)
    bar = tqdm if sys.stderr.isatty() else None
    done = room.look_recipe(data, into=out, cache=cache, name=name, plan=plan, judge=judge, progress=bar)
    click.echo(json.dumps(done.card["measures"], indent=1))


def _sweep(data: str, out: str, cache: str | None, varied: dict[str, list[Any]]) -> None:
    from . import dataset
    from . import train as room

    table = dataset.read(data) if Path(data).is_file() else room.prepared(data, cache=cache)

    def crops(size: int) -> Any:
        return dataset.crops(table, margin=room.WIDE, size=room.wide_size(size), cache=cache)

    done = room.sweep(table, crops, varied, into=out, on_row=lambda row: click.echo(json.dumps(row)))
    click.echo(done.drop(columns="pace").to_string(index=False))
    click.echo(f"figures of validation alone; {Path(out) / 'sweep.csv'}, curves in sweep.json and sweep.png")


@main.command()
@click.option("--model", help="A shipped model's name, or the path of a card.  [default: full]")
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Photos with Pascal VOC files, class folders, or both.")  # fmt: skip
@_finder
@_detector
@click.option("--tiles", type=click.IntRange(1, 8), default=1, show_default=True,
              help="With one look: look at large photos in up to so many tiles a side as well.")  # fmt: skip
@click.option("--min-side", default=20.0, show_default=True, help="Smaller faces (pixels) count neither way.")
@click.option("--marked", "marks", type=click.Path(exists=True, dir_okay=False),
              help="Look-alikes on bare faces: file,x1,y1,x2,y2,kind (such as models/look-alikes.csv).")  # fmt: skip
@_corrections
@click.option("--report", "folder", type=click.Path(file_okay=False), help="Write report.html and report.json here.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here.")
def evaluate(
    model: str | None, data: Path, folder: str | None, json_path: Path | None, detector: str | None, tiles: int,
    finder: str | None, **options: Any,
) -> None:  # fmt: skip
    """How good a model is on labelled photos: on labelled boxes, on found faces, and with missed faces as errors.

    With 95 % intervals over photos, by class, face size, light, blur, pose and skin tone. Photos that the model learnt
    from are no test of it; where its list of them is there, they are counted.
    """
    from tqdm import tqdm

    from . import detect as looking
    from . import evaluate as room
    from . import files

    bar = tqdm if sys.stderr.isatty() else None
    model, finder = looking.chosen(detector, model, finder)
    if looking.one_look(model):
        others = {"--finder": finder, "--marked": options["marks"], "--report": folder}
        if unused := [name for name, value in others.items() if value]:
            raise ValueError(f"{model}: leave out {', '.join(unused)}; one look has no finder and no report yet")
        known = {name: options[name] for name in ("min_side", "corrections")}
        figures = room.end_to_end(data, detector=model, tiles=tiles, progress=bar, **known)
        click.echo(room.end_to_end_words(figures))
    else:
        done = room.examine(data, model=model, finder=finder, progress=bar, **options)
        figures = done.figures
        click.echo(room.words(done))
    if json_path:
        files.write(json_path, json.dumps(room.plain(figures), indent=1))
    if folder:
        click.echo(f"report: {room.page(done, folder, card=model)}")


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path),
              help="Write findings.csv and contact sheets of the findings here.")  # fmt: skip
@click.option("--min-side", default=16.0, show_default=True, help="Smaller faces (pixels) are not asked about.")
@_corrections
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the counts here.")
def check(folder: Path, out: Path | None, min_side: float, corrections: Path | None, json_path: Path | None) -> None:
    """Look for errors in the labels of FOLDER: doubtful classes, copies that disagree, odd boxes.

    What a class should be is asked of a probe that learnt from other people and scenes only. Nothing is changed: look
    at the sheets, and correct by `label`, in notebook 03, or with a list for --corrections.
    """
    from tqdm import tqdm

    from . import evaluate, files, images

    bar = tqdm if sys.stderr.isatty() else None
    done = evaluate.quality(folder, min_side=min_side, corrections=corrections, progress=bar)
    figures = done.figures()
    for note in figures["notes"]:
        click.echo(note)
    for kind, count in figures["findings"].items():
        click.echo(f"{count:6} {kind}")
    for what, count in figures["other class"].items():
        click.echo(f"{count:6} {what}")
    if out:
        files.write(out / "findings.csv", done.findings.to_csv(index=False))
        for number, sheet in enumerate(evaluate.quality_sheets(done.findings), start=1):
            images.write(out / f"findings-{number:02}.jpg", sheet)
        click.echo(f"findings.csv and contact sheets in {out}")
    if json_path:
        files.write(json_path, json.dumps({"folder": folder.resolve().name, **figures}, indent=1) + "\n")


def start(arguments: list[str] | None = None) -> int:
    """Run a command; what the caller can mend is one sentence and code 2, never a traceback."""
    import sqlite3

    from . import assets
    from .batch import Skip

    try:
        return int(main.main(arguments, prog_name="python -m lib", standalone_mode=False) or 0)
    except click.ClickException as trouble:
        trouble.show()
        return trouble.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except (ValueError, assets.AssetMissing, RuntimeError, Skip) as trouble:
        click.echo(f"{trouble}", err=True)
        return 2
    except ModuleNotFoundError as trouble:
        click.echo(f"{trouble.name} is not installed; run: pip install -c requirements.lock '.[all]'", err=True)
        return 2
    except sqlite3.Error as trouble:
        click.echo(f"manifest: {trouble}; is the disk full, or the folder read-only?", err=True)
        return 2
    except OSError as trouble:
        where = f" ({Path(trouble.filename)})" if trouble.filename else ""
        click.echo(f"{trouble.strerror}{where}" if trouble.strerror else str(trouble), err=True)
        return 2


if __name__ == "__main__":
    sys.exit(start())
