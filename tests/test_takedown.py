"""A take-down removes all of an image and nothing else, survives a kill, and is remembered by the crawler."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib import __main__ as main
from lib import blur, crawl, files, images, labels, plots, takedown
from lib.classes import NAMES
from lib.sample.photos import plan
from lib.workspace import Workspace

URL, TWIN, OTHER = "http://a.example/one.jpg", "http://b.example/one.jpg", "http://a.example/two.jpg"


def picture(seed: int) -> bytes:
    return images.encode(np.random.default_rng(seed).integers(0, 255, (40, 50, 3), np.uint8))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and "manifest.sqlite" not in p.name}


def crawled(work: Workspace, seed: int, *urls: str) -> str:
    """An image as a crawl leaves it."""
    content = picture(seed)
    sha256 = images.sha256(content)
    path = images.write(work.raw / sha256[:2] / f"{sha256}.jpg", content)
    with work.manifest() as book:
        book.add_image(sha256, path, bytes=len(content), width=50, height=40)
        for url in urls:
            book.add_source(sha256, url, page=f"{url}.html", query="people", engine="bing", label="without_mask")
            book.add_attempt(url, "downloaded", query="people", engine="bing")
    return sha256


def masked(work: Workspace, parent: str, seed: int) -> str:
    """A masked copy as lib.masks leaves it: picture, labels, pixel mask, parent."""
    name, content = f"{parent[:16]}-00-cloth-{seed}", picture(seed)
    images.write(work.masked / f"{name}.xml", "<annotation/>")
    images.write(work.masked / f"{name}.png", np.zeros((4, 4), np.uint8))
    path = images.write(work.masked / f"{name}.jpg", content)
    with work.manifest() as book:
        book.derive(images.sha256(content), parent, "mask", parameters={"file": path.name, "faces": []})
        book.add_image(images.sha256(content), path, bytes=len(content), width=50, height=40)
    return images.sha256(content)


def table_of(work: Workspace, *files: Path) -> None:
    rows = [{"image": str(f), "x1": 0, "y1": 0, "x2": 9, "y2": 9, "label": "with_mask"} for f in files]
    work.root.mkdir(exist_ok=True)
    labels.table(rows).to_parquet(work.faces, index=False)


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """Two crawled images, one with a masked copy, labels, a table, a cache, and a copy under another name."""
    work = Workspace(tmp_path / "work")
    one, two = crawled(work, 1, URL, TWIN), crawled(work, 2, OTHER)
    masked(work, one, 11), masked(work, two, 12)
    for sha256 in (one, two):
        images.write(work.labels / f"{sha256}.xml", "<annotation/>")
    table_of(work, *sorted(work.raw.rglob("*.jpg")), *sorted(work.masked.glob("*.jpg")))
    images.write(work.root / "crops" / "crops-0123.npy", b"pixels")
    images.write(work.root / "gallery" / "img.jpg", picture(1))
    return work


def left_of(work: Workspace, sha256: str) -> list[str]:
    """Files and rows that still know an image, but for the list of what is forgotten."""
    found = [p for p, content in snapshot(work.root).items() if sha256[:16] in p or images.sha256(content) == sha256]
    with work.manifest() as book:
        for table in ("images", "sources", "derivations", "decisions"):
            text = book.read(table).astype(str).apply(lambda c: c.str.contains(sha256))
            found += [table] * bool(text.to_numpy().any())
    return found + [r for r in pd.read_parquet(work.faces)["image"] if sha256[:16] in r]


ONE, TWO = images.sha256(picture(1)), images.sha256(picture(2))


def test_nothing_is_here_and_it_is_remembered_all_the_same(tmp_path: Path) -> None:
    work = Workspace(tmp_path)
    assert takedown.forget(URL, work=work).empty and takedown.forget("a" * 64, work=work).empty
    with work.manifest() as book:
        assert book.forgotten(URL) and book.forgotten("a" * 64) and not book.forgotten(OTHER)
        assert not book.unfinished()


@pytest.mark.parametrize("what", [URL, TWIN, f"{URL}.html", ONE, ONE[:10], ONE.upper()])
def test_by_any_of_its_names_all_of_it_goes_and_nothing_else(work: Workspace, what: str) -> None:
    before = snapshot(work.root)
    table = takedown.forget(what, work=work)
    assert table["done"].all() and not left_of(work, ONE)
    kinds = table.set_index("what")["fate"].to_dict()
    assert kinds == {"image": "delete", "masked copy": "delete", "labels": "delete", "pixel mask": "delete",
                     "same bytes": "delete", "table of faces": "drop its rows",
                     "cache of crops (made anew when needed)": "delete"}  # fmt: skip
    after = snapshot(work.root)
    gone = {Path(p).relative_to(work.root).parts[0] for p in set(before) - set(after)}
    assert len(before) - len(after) == 7 and gone == {"raw", "masked", "labels", "crops", "gallery"}
    assert all(before[p] == content for p, content in after.items() if Path(p) != work.faces)
    assert len(pd.read_parquet(work.faces)) == 2 and len(left_of(work, TWO)) > 6
    with work.manifest() as book:
        assert book.forgotten(ONE) and book.forgotten(URL) and book.forgotten(TWIN) and not book.forgotten(TWO, OTHER)
        assert book.read("attempts")["url"].tolist() == [OTHER]
    assert not (work.raw / ONE[:2]).exists() or ONE[:2] == TWO[:2]


def test_a_dry_run_touches_nothing(work: Workspace) -> None:
    before = snapshot(work.root)
    table = takedown.forget(URL, work=work, dry_run=True)
    assert len(table) == 8 and not table["done"].any() and snapshot(work.root) == before
    with work.manifest() as book:
        assert len(book.read("images")) == 4 and not book.forgotten(URL)


def test_a_persons_own_photo_stays_and_loses_its_rows(tmp_path: Path) -> None:
    work, mine = Workspace(tmp_path / "work"), tmp_path / "mine"
    for name, seed in (("with_mask/a.jpg", 1), ("without_mask/a.jpg", 2), ("b.jpg", 3)):
        images.write(mine / name, picture(seed))
    images.write(mine / "with_mask/a.xml", "<annotation/>")
    crawl.take_in(mine, into=work)
    masked(work, ONE, 11)
    for note in ("with_mask/a.xml", "without_mask/a.xml", "a.xml"):
        images.write(work.labels / note, "<annotation/>")
    table_of(work, mine / "with_mask/a.jpg", mine / "b.jpg")
    before = snapshot(mine)
    table = takedown.forget(mine / "with_mask/a.jpg", work=work)
    assert snapshot(mine) == before and table[table["fate"].eq("leave")]["what"].tolist() == ["your own photo"]
    assert sorted(p.relative_to(work.labels).as_posix() for p in work.labels.rglob("*.xml")) == [
        "a.xml", "without_mask/a.xml"], "a.xml may be the other a.jpg's"  # fmt: skip
    assert not list(work.masked.iterdir()) and len(pd.read_parquet(work.faces)) == 1
    rows, skipped = crawl.take_in(mine, into=work)
    assert len(rows) == 2 and [Path(s["item"]).parent.name for s in skipped] == ["with_mask"]
    assert takedown.readmit(ONE.upper(), work=work) == 2 and not takedown.readmit(ONE, work=work)
    assert len(crawl.take_in(mine, into=work)[0]) == 3


def test_own_photos_inside_the_workspace_and_behind_a_link_stay(tmp_path: Path) -> None:
    work, far = Workspace(tmp_path / "work"), tmp_path / "far"
    images.write(work.root / "mine" / "a.jpg", picture(1))
    images.write(work.root / "mine" / "again.jpg", picture(1))
    far.mkdir()
    images.write(far / "c.jpg", picture(1))
    (work.root / "linked").symlink_to(far)
    crawl.take_in(work.root / "mine", into=work)
    table = takedown.forget(ONE, work=work)
    assert set(table["fate"]) == {"leave"} and len(snapshot(work.root / "mine")) == 2 and (far / "c.jpg").is_file()


def test_what_was_made_of_what_was_made_goes_too(work: Workspace) -> None:
    child = images.sha256(picture(11))
    images.write(work.root / "exports" / "crop.jpg", picture(20))
    with work.manifest() as book:
        grand = images.sha256(picture(20))
        book.derive(grand, child, "crop", parameters={"box": [0, 0, 5, 5]})
        book.add_image(grand, work.root / "exports" / "crop.jpg", bytes=len(picture(20)), width=5, height=5)
    takedown.forget(ONE, work=work)
    assert not (work.root / "exports" / "crop.jpg").exists()
    with work.manifest() as book:
        assert len(book.read("derivations")) == 1 and not book.forgotten(child)


def test_near_copies_are_named_and_go_only_when_asked(work: Workspace) -> None:
    with work.manifest() as book:
        book.decide(
            "dedupe", [(ONE, True, "the best of 2"), (TWO, False, f"resized copy of {ONE[:12]} (distance 0.1)")]
        )
    for what in (ONE, TWO):
        wish = takedown.plan(what, work=work)
        assert len([s for s in wish.images if s in (ONE, TWO)]) == 1 and "1 near-copies stay" in wish.remarks[0]
    takedown.forget(TWO, work=work, copies=True)
    assert not left_of(work, ONE) and not left_of(work, TWO)


def test_what_cannot_be_meant_is_said(work: Workspace) -> None:
    with work.manifest() as book:
        for sha256 in (ONE, TWO):
            book.add_source(sha256, f"http://x/{sha256}", page="http://x/page")
    for what, words in (("cats", "at least 8 hex"), ("abcdef0123", "no image begins"), ("http://x/page", "2 images")):
        with pytest.raises(ValueError, match=words):
            takedown.plan(what, work=work)


_KILLED = """
import os, sys
from pathlib import Path
from lib import takedown
from lib.workspace import Workspace
count, unlink = int(sys.argv[2]), Path.unlink
def dying(self, **options):
    global count
    count -= 1
    if count < 0:
        os._exit(9)
    unlink(self, **options)
Path.unlink = dying
takedown.forget(sys.argv[3], work=Workspace(sys.argv[1]))
"""


@pytest.mark.parametrize("after", [0, 3])
def test_a_killed_take_down_is_finished_by_the_next(work: Workspace, after: int) -> None:
    arguments = [sys.executable, "-c", _KILLED, str(work.root), str(after), URL]
    assert subprocess.run(arguments, check=False).returncode == 9
    assert left_of(work, ONE), "the kill came before the end"
    with work.manifest() as book:
        assert len(book.unfinished()) == 1 and book.forgotten(URL, ONE) and len(book.read("images")) == 2
    assert takedown.resume(work) == 0 and not left_of(work, ONE) and len(left_of(work, TWO)) > 6
    with work.manifest() as book:
        assert not book.unfinished()


def test_a_kill_before_the_transaction_leaves_everything(work: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot(work.root)
    monkeypatch.setattr("json.dumps", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        takedown.forget(URL, work=work)
    monkeypatch.undo()
    assert snapshot(work.root) == before
    with work.manifest() as book:
        assert len(book.read("images")) == 4 and not book.forgotten(URL, ONE)


def test_a_file_that_will_not_go_stays_noted(work: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = Path.unlink

    def stubborn(self: Path, missing_ok: bool = False) -> None:
        if self.suffix == ".npy":
            raise PermissionError(13, "Permission denied", str(self))
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", stubborn)
    table = takedown.forget(URL, work=work)
    assert table[~table["done"]]["what"].str.startswith("cache").all() and len(table[~table["done"]]) == 1
    assert takedown.resume(work) == 1
    monkeypatch.undo()
    assert takedown.resume(work) == 0 and not list(work.root.rglob("*.npy"))


def test_the_addresses_are_wiped_from_the_file_itself(tmp_path: Path) -> None:
    work = Workspace(tmp_path)
    crawled(work, 1, "http://a.example/only-in-the-page-column.jpg")
    with work.manifest() as book:
        book.decide("screen", [(ONE, False, "a reason that names Jane Doe")])
    takedown.forget(ONE, work=work)
    held = b"".join(p.read_bytes() for p in tmp_path.glob("manifest.sqlite*"))
    assert b"Jane Doe" not in held and b"column.jpg.html" not in held and b"only-in-the-page-column.jpg" in held


# ------------------------------------------------------------------------------------ results, lists, pages, models


def test_results_that_bear_its_hash_or_its_own_name_go(tmp_path: Path) -> None:
    work, mine = Workspace(tmp_path / "work"), tmp_path / "mine"
    crawled(work, 2, OTHER)
    for name, seed in (("with_mask/a.jpg", 1), ("without_mask/a.jpg", 3), ("b.webp", 4)):
        images.write(mine / name, picture(seed))
    crawl.take_in(mine, into=work)
    kept = [f"{TWO}.jpg", "without_mask/a.jpg", "a.jpg"]  # a.jpg may be either
    gone = [f"blurred/{TWO[:2]}/{TWO}.jpg.png", "with_mask/a.jpg", "b.webp.png"]
    for i, name in enumerate([*kept, *gone]):
        images.write(work.out / name, picture(50 + i))
    takedown.forget(mine / "with_mask/a.jpg", work=work)
    takedown.forget(mine / "b.webp", work=work)
    assert {p.relative_to(work.out).as_posix() for p in images.find(work.out)} == {*kept, gone[0]}
    takedown.forget(TWO, work=work)
    assert {p.relative_to(work.out).as_posix() for p in images.find(work.out)} == set(kept[1:])


def test_an_annotated_copy_without_a_name_is_known_by_its_looks(tmp_path: Path) -> None:
    work = Workspace(tmp_path)
    shots = [plan(i, seed=5, label=NAMES[i % 2]) for i in range(3)]
    for shot in shots[:2]:
        content = images.encode(shot.rgb)
        path = images.write(work.raw / f"{images.sha256(content)}.jpg", content)
        with work.manifest() as book:
            h, w = shot.rgb.shape[:2]
            book.add_image(path.stem, path, bytes=len(content), width=w, height=h)
            book.add_source(path.stem, f"http://x/{path.name}", page="", engine="bing")
    for i, shot in enumerate(shots):
        faces = np.array([face.xyxy for face in shot.faces], float)
        drawn = shot.rgb.copy()
        for box in faces:
            plots.frame(drawn, box, "with mask 98 %", (0, 158, 115))
        images.write(work.out / f"annotated-{i}.jpg", images.resize(drawn, 700))
        images.write(work.out / f"blurred-{i}.jpg", blur.blurred(shot.rgb, faces))
    table = takedown.forget(images.sha256(images.encode(shots[0].rgb)), work=work)
    assert table["what"].value_counts().to_dict() == {"looks like it": 2, "image": 1}
    assert sorted(p.name for p in images.find(work.out)) == [
        f"{n}-{i}.jpg" for n in ("annotated", "blurred") for i in (1, 2)
    ]


def scenery() -> tuple[bytes, bytes]:
    """Two shots of one scene, a moment apart: another photo each, and alike to 0.99."""
    rgb = plan(1, seed=5, label=NAMES[0]).rgb
    return images.encode(rgb), images.encode(np.roll(rgb, 4, axis=1))


def test_another_shot_of_the_scene_outside_the_folder_of_results_is_named_and_stays(tmp_path: Path) -> None:
    work, (one, two) = Workspace(tmp_path), scenery()
    path = images.write(work.raw / f"{images.sha256(one)}.jpg", one)
    with work.manifest() as book:
        book.add_image(path.stem, path, bytes=len(one), width=700, height=500)
    mine = images.write(work.root / "holidays" / "b.jpg", two)
    table = takedown.forget(path.stem, work=work)
    assert table[table["fate"].eq("leave")]["file"].tolist() == [str(mine)] and mine.is_file() and not path.exists()


def test_an_own_photo_that_lost_its_rows_is_still_ones_own(tmp_path: Path) -> None:
    work, shots = Workspace(tmp_path), scenery()
    mine = [images.write(work.out / "mine" / f"{i}.jpg", shot) for i, shot in enumerate(shots)]
    crawl.take_in(work.out / "mine", into=work)
    for path in mine:
        takedown.forget(path, work=work)
    assert all(p.is_file() for p in mine)


def _write(work: Workspace, name: str, content: object) -> Path:
    return files.write(work.root / name, content if isinstance(content, str) else json.dumps(content))


def test_splits_and_lists_lose_its_entries_alone(work: Workspace) -> None:
    one, two = f"sample/{ONE[:2]}/{ONE}.jpg", f"sample/{TWO[:2]}/{TWO}.jpg"
    twin = f"sample/masked/{ONE[:16]}-00-cloth-11.jpg"
    made = {
        "splits/faces.json": {"sha256": "ab", "images": {"train": [one, two, twin], "test": []}},
        "models/mine-split.json": {"images": {"train": [two], "test": [one]}},
        "out/answers.json": {f"{ONE}.jpg": [[0, 0, 9, 9, 0.9, "with_mask"]], f"{TWO}.jpg": []},
        "out/coco.json": {"images": [{"id": 1, "file_name": f"{ONE}.jpg"}, {"id": 2, "file_name": f"{TWO}.jpg"}],
                          "annotations": [{"id": 1, "image_id": 1}, {"id": 2, "image_id": 2}]},
        "out/counts.csv": f"image,faces\n{work.raw}/{ONE[:2]}/{ONE}.jpg,2\n{TWO}.jpg,3\n",
        "out/events.jsonl": f'{{"image": "{ONE}.jpg"}}\n{{"image": "{TWO}.jpg"}}\n',
        "out/list.txt": f"{ONE}.jpg with_mask\n{TWO}.jpg with_mask\n",
        "gallery/gallery.json": {"rows": [{"name": "a", "sha256": ONE}, {"name": "b", "sha256": TWO}]},
    }  # fmt: skip
    for name, content in made.items():
        _write(work, name, content)
    _write(work, "summary.json", {"01": {"images": 2}})
    plain = {p: c for p, c in snapshot(work.root).items() if p.endswith(("summary.json", "broken.json"))}
    table = takedown.forget(URL, work=work)
    assert table["done"].all() and (table["what"] == "list").sum() == len(made)
    for name in made:
        text = (work.root / name).read_text()
        assert ONE[:16] not in text and (TWO in text), name
    read = {name: json.loads((work.root / name).read_text()) for name in made if name.endswith(".json")}
    assert read["splits/faces.json"] == {"sha256": "ab", "images": {"train": [two], "test": []}}
    assert read["out/coco.json"]["annotations"] == [{"id": 2, "image_id": 2}]
    assert (work.root / "out/counts.csv").read_text().splitlines()[0] == "image,faces"
    assert {p: snapshot(work.root)[p] for p in plain} == plain


def test_lists_that_go_by_folder_and_name_lose_an_own_photo(tmp_path: Path) -> None:
    work, mine = Workspace(tmp_path / "work"), tmp_path / "mine"
    for name, seed in (("with_mask/ä.jpg", 1), ("without_mask/ä.jpg", 2), ("b.jpg", 3)):
        images.write(mine / name, picture(seed))
    crawl.take_in(mine, into=work)
    keys = ["mine/with_mask/ä.jpg", "mine/without_mask/ä.jpg", "mine/mine/b.jpg", "other/bb.jpg"]
    _write(work, "splits/faces.json", {"images": {"train": keys}})
    _write(work, "out/answers.json", {"ä.jpg": [], "b.jpg": [], "with_mask/ä.jpg": []})
    takedown.forget(mine / "with_mask/ä.jpg", work=work)
    takedown.forget(mine / "b.jpg", work=work)
    assert json.loads((work.splits / "faces.json").read_text())["images"]["train"] == [keys[1], keys[3]]
    assert json.loads((work.out / "answers.json").read_text()) == {"ä.jpg": []}, "ä.jpg may be either"


def test_pages_and_caches_that_do_not_say_whose_they_are_go_only_when_the_image_was_here(tmp_path: Path) -> None:
    work = Workspace(tmp_path / "data" / "mine")
    crawled(work, 1, URL)
    executed = tmp_path / "build" / "notebooks" / "mine"
    made = [work.out / "report.html", work.root / "crops" / "crops-1.npy",
            executed / "01-crawl.ipynb", executed / "01-crawl.html"]  # fmt: skip
    kept = [executed / "done.json", executed.parent / "other" / "01-crawl.html", work.out / "report.json"]
    for path in (*made, *kept):
        files.write(path, "{}")
    for unknown in (OTHER, "a" * 64):
        assert takedown.forget(unknown, work=work).empty and all(p.is_file() for p in made)
    assert takedown.forget(URL, work=work)["done"].all() and not any(p.exists() for p in made)
    assert all(p.is_file() for p in kept)


def test_a_persons_own_pages_tables_and_notebooks_in_the_workspace_stay(tmp_path: Path) -> None:
    work = Workspace(tmp_path / "a" / "b")
    crawled(work, 1, URL)
    names = ("thesis.html", "notes.ipynb", "sub/data.npy", "sub/weights.npz", "out/mine.html", "out/notes.ipynb",
             "../../build/notebooks/b/mine.ipynb")  # fmt: skip
    mine = [files.write(work.root / name, "x") for name in names]
    takedown.forget(URL, work=work)
    assert [p.name for p in mine if not p.is_file()] == []


def test_models_that_learnt_from_it_are_named(work: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    monkeypatch.setattr("lib.assets.models", lambda: shipped)
    sides = {"train": [f"s/{ONE}.jpg"], "validation": [f"s/{TWO}.jpg"], "test": []}
    files.write(shipped / "full-split.json", json.dumps({"sha256": "fe", "images": sides}))
    files.write(shipped / "full.json", json.dumps({"split": {"sha256": "fe"}}))
    _write(work, "splits/faces.json", {"sha256": "ab", "images": {**sides, "train": [], "test": [f"s/{ONE}.jpg"]}})
    _write(work, "models/mine.json", {"split": {"sha256": "ab"}})
    _write(work, "out/annotated.mp4", "x")
    said = takedown.plan(URL, work=work).remarks
    assert any("shipped/full learnt from it (full-split.json lists it under train)" in s for s in said)
    assert any("models/mine was measured on it (faces.json, test)" in s for s in said)
    assert any("watch annotated.mp4" in s for s in said) and any("backups" in s for s in said)
    said = takedown.plan(TWO, work=work).remarks
    assert not any("unlearn" in s for s in said) and any("shipped/full was measured on it" in s for s in said)
    before = snapshot(shipped)
    takedown.forget(URL, work=work)
    assert snapshot(shipped) == before, "what ships is not changed here"


def test_what_is_let_in_again_is_not_deleted_by_the_rest_of_a_killed_take_down(work: Workspace) -> None:
    arguments = [sys.executable, "-c", _KILLED, str(work.root), "0", URL]
    assert subprocess.run(arguments, check=False).returncode == 9
    assert takedown.readmit(URL, work=work) == 3
    crawled(work, 1, URL)
    assert takedown.resume(work) == 0 and len(list(work.raw.rglob(f"{ONE}.jpg"))) == 1


def test_a_list_is_cleaned_after_a_kill_too(work: Workspace) -> None:
    _write(work, "splits/faces.json", {"images": {"train": ["mine/a.jpg", "mine/b.jpg"]}})
    note = {"delete": [], "drop its rows": ["splits/faces.json"], "names": [], "images": [ONE], "ends": ["mine/a.jpg"]}
    with work.manifest() as book:
        book.forget([], [], files=note)
    assert takedown.resume(work) == 0
    assert json.loads((work.splits / "faces.json").read_text())["images"]["train"] == ["mine/b.jpg"]


def test_a_note_that_names_what_lies_outside_touches_nothing_there(tmp_path: Path) -> None:
    work, far = Workspace(tmp_path / "work"), tmp_path / "far"
    mine = [files.write(far / name, f"{ONE}.jpg\n") for name in ("a.txt", "b.txt", "c.txt")]
    work.root.mkdir()
    (work.root / "linked").symlink_to(far)
    note = {"delete": [str(mine[0]), "../far/b.txt", "linked/c.txt"], "drop its rows": [str(mine[0]), "linked/c.txt"],
            "names": [], "images": [ONE]}  # fmt: skip
    with work.manifest() as book:
        book.forget([], [], files=note)
    assert takedown.resume(work) == 0 and [p.read_text() for p in mine] == [f"{ONE}.jpg\n"] * 3


# ---------------------------------------------------------------------------------------------- the command line


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main.start(["forget", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_lists_then_deletes(work: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(work.root)
    code, said, _ = run(capsys, URL, "--work", work.root, "--dry-run")
    assert code == 0 and "7 files would be deleted; nothing was touched" in said and snapshot(work.root) == before
    assert f"{ONE}.jpg" in said and "drop its rows" in said
    code, _, complained = run(capsys, URL, "--work", work.root)
    assert code == 2 and "--yes" in complained and snapshot(work.root) == before, "nobody is there to be asked"
    code, said, _ = run(capsys, URL, "--work", work.root, "--yes")
    assert code == 0 and "7 files deleted" in said and not left_of(work, ONE)
    code, said, _ = run(capsys, URL, "--work", work.root, "--undo")
    assert code == 0 and said.startswith("3 hashes and addresses taken off")
    assert run(capsys, URL, "--work", work.root, "--undo")[0] == 2
    code, said, _ = run(capsys, URL, "--work", work.root)
    assert code == 0 and said.startswith("nothing of that name is here; it is remembered")
    file = images.write(work.root.parent / "mine.jpg", picture(2))
    assert run(capsys, file, "--work", work.root, "--yes")[0] == 0 and not left_of(work, TWO)
    code, said, _ = run(capsys, file, "--work", work.root, "--undo")
    assert code == 0 and said.startswith("2 hashes and addresses taken off")
    code, _, complained = run(capsys, "--work", work.root, "--undo")
    assert code == 2 and complained.startswith("forget: --undo needs")


def test_the_command_asks_a_person_first(
    work: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *a, **k: (_ for _ in ()).throw(main.click.Abort()))
    before = snapshot(work.root)
    assert run(capsys, URL, "--work", work.root)[0] == 130 and snapshot(work.root) == before
    assert run(capsys, URL, "--work", work.root, "--yes")[0] == 0 and not left_of(work, ONE)


def test_without_a_name_of_a_workspace_all_below_data_are_searched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(capsys, URL)[0] == 2
    one, two = Workspace("data/one"), Workspace("data/two")
    crawled(one, 1, URL), crawled(two, 2, OTHER)
    code, said, _ = run(capsys, ONE[:12], "--yes")
    assert code == 0 and "1 files deleted" in said and not list(one.raw.rglob("*.jpg"))
    with two.manifest() as book:
        assert book.forgotten(ONE) and book.forgotten(URL) and len(book.read("images")) == 1
    code, _, complained = run(capsys, "abcdef0123")
    assert code == 2 and "no image begins" in complained


def test_the_command_finishes_what_was_interrupted(work: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with work.manifest() as book:
        book.forget([], [], files={"delete": ["gallery/img.jpg"], "drop its rows": [], "names": [], "images": []})
    assert run(capsys, "--work", work.root)[0] == 0 and not (work.root / "gallery" / "img.jpg").exists()
    assert os.path.exists(work.faces)  # noqa: PTH110
