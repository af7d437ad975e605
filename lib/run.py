"""The notebooks, run in order with nobody there: what `make run` and `make notebooks` do."""

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import assets, files, images, workspace
from .workspace import Workspace

__all__ = ["NotebookFailed", "ROOT", "execute", "keep_outputs", "story", "summary", "workspace_for"]

ROOT = Path(__file__).parent.parent
PARAMETERS = ("WORK", "DATA", "QUICK")
_SILENT = "--IPKernelApp.log_level=40"


class NotebookFailed(RuntimeError):
    """A notebook ended with an error: its name, the cell, the error's own words, and where the executed copy lies."""


def story(folder: Path | None = None, *, numbers: str = "12345") -> list[Path]:
    """The numbered notebooks, in order. Raises FileNotFoundError where there are none."""
    folder = folder or ROOT / "notebooks"
    found = sorted(p for p in folder.glob("0*-*.ipynb") if p.name[1] in numbers)
    if not found:
        raise FileNotFoundError(f"notebooks: none in {folder}; run this in a checkout of the workbench")
    return found


def workspace_for(data: str | Path | None) -> Workspace:
    """Where a run on a folder of photos (or on the sample, for None) keeps what it makes."""
    if not data:
        return Workspace(ROOT / "data" / "sample")
    folder = Path(data).resolve()
    if not folder.is_dir():
        raise FileNotFoundError(f"DATA: {folder} is no folder; give a folder of photos")
    if not images.find(folder):
        raise ValueError(
            f"DATA: {folder} holds no images ({', '.join(sorted(images.SUFFIXES))}); give a folder of photos"
        )
    return workspace.for_photos(folder, data=ROOT / "data")


def execute(
    work: Workspace,
    *,
    data: str | Path | None = None,
    quick: bool = False,
    out: Path | None = None,
    numbers: str = "12345",
    say: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Run the story, or the notebooks of some numbers, on a workspace; the executed copies (.ipynb, .html) in `out`.

    A notebook is run again only when it, its parameters, our code, the photos, the models or a step before it changed
    since it last ended well. say: called with a line of progress before and after each. Raises NotebookFailed.
    """
    out = out or ROOT / "build" / "notebooks" / work.root.name
    parameters = dict(
        zip(PARAMETERS, (str(work.root.resolve()), str(Path(data).resolve()) if data else "", quick), strict=True)
    )
    ledger_path = out / "done.json"
    ledger = json.loads(ledger_path.read_text()) if ledger_path.is_file() else {}
    state, made = _state(data), []
    for notebook in story(numbers=numbers):
        copy = out / notebook.name
        if notebook.name >= "03":  # what a person labelled since counts from where labels are read
            state = _digest(state, _labelled(work))
        state = _digest(state, _source(notebook), json.dumps(parameters))
        if ledger.get(notebook.name) == state and copy.is_file() and notebook.stem in work.summary():
            say(f"{notebook.stem:<28} done before, nothing changed")
        else:
            seconds = _run_one(notebook, copy, parameters, say=say)
            ledger[notebook.name] = state
            files.write(ledger_path, json.dumps(ledger, indent=1))
            say(f"{notebook.stem:<28} {seconds:5.0f} s")
        made.append(copy)
    return made


def _run_one(notebook: Path, copy: Path, parameters: dict[str, Any], *, say: Callable[[str], None]) -> float:
    import papermill

    started = time.monotonic()
    copy.parent.mkdir(parents=True, exist_ok=True)
    say(f"{notebook.stem:<28} …")
    for name in ("papermill", "papermill.translators", "traitlets"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        # A kernel inherits our error stream: what its native libraries print (CUDA, XNNPACK) goes to a file.
        with copy.with_suffix(".log").open("wb") as noise, files.aside(noise.fileno()):
            papermill.execute_notebook(
                notebook, copy, parameters, kernel_name="python3", cwd=notebook.parent, progress_bar=False,
                extra_arguments=[_SILENT],
            )  # fmt: skip
    except papermill.PapermillExecutionError as trouble:
        raise NotebookFailed(
            f"{notebook.name}, cell {trouble.exec_count}: {trouble.ename}: {trouble.evalue}\n  the whole of it: {copy}"
        ) from None
    finally:
        if copy.is_file():
            _write_html(copy)
    return time.monotonic() - started


def _write_html(notebook: Path) -> Path:
    import nbformat
    from nbconvert import HTMLExporter

    content = nbformat.read(notebook, 4)
    _still(content)
    _settle(content)
    html, _ = HTMLExporter(embed_images=True).from_notebook_node(content)
    return files.write(notebook.with_suffix(".html"), html)


# What each step noted, in a sentence; a step whose figures do not fit is listed figure by figure.
_SENTENCES = {
    "01-crawl-and-deduplicate": (
        "images    {parsed} found, {downloaded} readable, {kept} kept; "
        "{copies_set_aside} copies and {bad_set_aside} bad ones set aside"
    ),
    "02-generate-masks": "masked    {masked} pictures of {photos} photos; {refused} faces refused",
    "03-label-faces": "labels    {faces} faces on {photos} photos, {by_hand} by hand, {doubtful} doubtful",
    "04-train-mobilenetv2": (
        "accuracy  {balanced_accuracy:.3f} balanced (95 %: {interval_95[0]:.3f} to {interval_95[1]:.3f}) "
        "on {test_faces} faces of {test_images} test images\n"
        "          {measured_on}\n"
        "model     {model}\nreport    {report}"
    ),
    "05-webcam": "picture   {annotated_picture}\nclip      {annotated_clip}",
}

_WEAK_FINDER = (
    "faces were found by dlib's built-in detector, which misses many masked ones\n"
    "            (no better one is here: connect to the internet once, or set MASK_ASSETS; see python -m lib doctor)"
)


def summary(work: Workspace, *, copies: Path | None = None) -> str:
    """What came out of a run, for a person: figures of every step, where the results lie, what to type next."""
    lines = ["", "What came out"]
    for stem, figures in sorted(work.summary().items()):
        lines += [f"  {line}" for line in _sentence(stem, figures)]
    if not (assets.have("yunet") or assets.have("res10")):
        lines += [f"  beware    {_WEAK_FINDER}"]
    copies = copies or ROOT / "build" / "notebooks" / work.root.name
    lines += [
        f"  notebooks {_here(copies)}/*.html",
        f"  all else  {_here(work.root)}/",
        "",
        "What to type next",
        "  make lab                               the notebooks in JupyterLab, the camera cell in 05",
        "  .venv/bin/python -m lib detect PHOTO   the shipped model on a photo, folder, video or camera 0",
        "  make run DATA=path/to/photos           the same workflow on your own photos",
    ]
    return "\n".join(lines)


def _sentence(stem: str, figures: dict[str, Any]) -> list[str]:
    shown = {k: _here(Path(v)) if isinstance(v, str) and Path(v).is_absolute() else v for k, v in figures.items()}
    try:
        return _SENTENCES[stem].format(**shown).splitlines()
    except (KeyError, IndexError, TypeError, ValueError):
        return [stem, *(f"  {name.replace('_', ' ')}: {value}" for name, value in shown.items())]


def _here(path: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def keep_outputs(*, build: Path | None = None, say: Callable[[str], None] = lambda line: None) -> list[Path]:
    """Run the notebooks on the sample in a fresh folder and keep their outputs in the committed notebooks.

    Paths of this machine, warnings and times of execution are taken out; the annotated picture of the last becomes the
    README's. Raises NotebookFailed or, for a notebook that came out over a megabyte, ValueError.
    """
    import nbformat

    build = build or ROOT / "build" / "committed"
    shutil.rmtree(build, ignore_errors=True)
    shutil.copytree(ROOT / "notebooks", build / "notebooks", ignore=shutil.ignore_patterns(".*"))
    kept = []
    for notebook in story(build / "notebooks", numbers="123456"):
        copy = build / "executed" / notebook.name
        say(f"{notebook.stem:<28} {_run_one(notebook, copy, {}, say=say):5.0f} s")
        content = nbformat.read(copy, 4)
        _clean(content)
        text = nbformat.writes(content).replace(str(build.resolve()) + "/", "").replace(str(ROOT) + "/", "")
        if len(text) > 1_048_576:
            raise ValueError(
                f"{notebook.name}: {len(text) / 1e6:.1f} MB with its outputs; smaller pictures (at most 1 MB)"
            )
        kept.append(files.write(ROOT / "notebooks" / notebook.name, text + "\n"))
    first_look = build / "data" / "sample" / "out" / "annotated.jpg"
    if first_look.is_file():  # the picture of the README
        kept.append(files.write(ROOT / "docs" / "first-look.jpg", first_look.read_bytes()))
    return kept


def _still(notebook: Any) -> None:
    """Leave of a widget only its still picture, or nothing where it has none, for pages without a kernel."""
    view = "application/vnd.jupyter.widget-view+json"
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        for output in outputs:
            if "image/jpeg" in output.get("data", {}):
                output["data"].pop(view, None)
        if outputs:
            cell.outputs = [o for o in outputs if view not in o.get("data", {})]


def _settle(notebook: Any) -> None:
    """Leave of a progress bar its last state, and join what was printed in pieces."""
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor

    CoalesceStreamsPreprocessor(enabled=True).preprocess(notebook, {})


def _clean(notebook: Any) -> None:
    _still(notebook)
    _settle(notebook)
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]


def _source(notebook: Path) -> str:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return json.dumps([[c["cell_type"], c["source"]] for c in cells])


def _state(data: str | Path | None) -> str:
    """A digest of what every notebook depends on: our code, the models that ship, the weights, the photos."""
    code = sorted(p for p in (ROOT / "lib").rglob("*") if p.suffix in (".py", ".js", ".css", ".html"))
    told = [*assets.models().glob("*.json"), *(ROOT / "notebooks" / "figures").glob("*.json")]
    parts = [files.sha256(p) for p in [*code, *sorted(told)]]
    parts += [f"{name} {assets.have(name)}" for name in sorted(assets.ASSETS)]
    if data:
        found = (p for p in sorted(Path(data).rglob("*")) if p.is_file())
        parts += [f"{p} {(stat := p.stat()).st_size} {stat.st_mtime_ns}" for p in found]
    return _digest(*parts)


def _labelled(work: Workspace) -> str:
    """A digest of the label files that a person made or corrected; those of the machine come out of the run itself."""
    from . import labels

    found = sorted(work.labels.rglob("*.xml")) if work.labels.is_dir() else []
    return _digest(*(f"{p} {files.sha256(p)}" for p in found if labels.owner(p) == "manual"))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
