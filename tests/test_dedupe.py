"""Copies are found, strangers are not, the best copy stays, and everything can be taken back."""

from concurrent.futures import ProcessPoolExecutor

import cv2
import imagehash
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lib import dedupe, images
from lib.dedupe import compare, join, prints
from lib.manifest import Manifest


def scene(seed: int, *, w: int = 320, h: int = 240) -> np.ndarray:
    """A made picture with shapes large and small: unlike any of another seed."""
    rng = np.random.default_rng(seed)
    rgb = cv2.resize(rng.integers(30, 220, (6, 8, 3), np.uint8), (w, h), interpolation=cv2.INTER_CUBIC)
    for _ in range(14):
        at = int(rng.integers(0, w)), int(rng.integers(0, h))
        cv2.circle(rgb, at, int(rng.integers(5, 40)), rng.integers(0, 255, 3).tolist(), -1)
    return cv2.add(rgb, rng.integers(0, 12, rgb.shape, np.uint8))


def files(folder, **pictures: np.ndarray | bytes) -> list[str]:
    return [str(images.write(folder / f"{name}.jpg", content)) for name, content in pictures.items()]


def found(folder, **pictures: np.ndarray | bytes) -> pd.DataFrame:
    table, skipped = dedupe.fingerprints(files(folder, **pictures))
    assert not skipped
    rows = dedupe.groups(table)
    return rows.assign(name=[p.split("/")[-1][:-4] for p in rows.image])


def test_nothing_one_and_two_strangers_have_no_groups(tmp_path):
    empty, skipped = dedupe.fingerprints([])
    assert empty.empty and not skipped and dedupe.groups(empty).empty
    assert not len(dedupe.screen(empty)) and dedupe.decisions(dedupe.groups(empty), dedupe.screen(empty)) == []
    assert found(tmp_path, a=scene(1)).empty and found(tmp_path, a=scene(1), b=scene(2)).empty


COPIES = {
    "re-encoded": (lambda p: images.read(images.encode(p, quality=30)), "re-encoded"),
    "smaller": (lambda p: cv2.resize(p, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA), "resized"),
    "mirrored": (lambda p: p[:, ::-1].copy(), "mirrored"),
    "brighter": (lambda p: (255 * (p / 255) ** 0.6).astype(np.uint8), "re-encoded"),
    "cropped": (lambda p: p[10:-4, 12:-12].copy(), "cropped"),
    "cropped and mirrored": (lambda p: p[6:-6, -12:12:-1].copy(), "mirrored and cropped"),
    "framed": (lambda p: cv2.copyMakeBorder(p, 12, 12, 12, 12, cv2.BORDER_CONSTANT, value=(255, 255, 255)), "framed"),
    "grey": (lambda p: np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[..., None], 3, 2), "re-encoded"),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_among_strangers_and_named_for_what_it_is(how, tmp_path):
    change, word = COPIES[how]
    strangers = {f"s{i}": scene(i) for i in range(2, 12)}
    rows = found(tmp_path, a=scene(1), b=change(scene(1)), **strangers)
    assert sorted(rows.name) == ["a", "b"] and rows.group.nunique() == 1 and rows.kept.tolist() == [True, False]
    assert rows.how[1].startswith(word) and 0 <= rows.distance[1] < 0.1


def test_the_same_bytes_are_one_group_with_distance_0(tmp_path):
    content = images.encode(scene(1))
    rows = found(tmp_path, b=content, a=content, c=scene(2))
    assert rows.name.tolist() == ["a", "b"] and rows.distance.tolist() == [0, 0] and rows.how[1] == "same bytes"
    assert dedupe.decisions(rows) == [(images.sha256(content), True, rows.reason[0])], "one image, so nothing to drop"


def test_the_best_copy_is_kept_by_resolution_then_sharpness(tmp_path):
    large = scene(1, w=640, h=480)
    small, soft = cv2.resize(large, (320, 240)), cv2.GaussianBlur(large, (0, 0), 3)
    rows = found(tmp_path, a=small, b=soft, c=large)
    assert rows.name.tolist() == ["c", "b", "a"] and rows.kept.tolist() == [True, False, False]
    assert rows.reason[0].startswith("the best of 3: 640 × 480")


def test_a_frame_does_not_make_a_copy_the_better_one(tmp_path):
    large = scene(1, w=640, h=480)
    small = cv2.resize(large, (320, 240), interpolation=cv2.INTER_AREA)
    frame = {"borderType": cv2.BORDER_CONSTANT, "value": (255, 255, 255)}
    rows = found(tmp_path, a=small, b=cv2.copyMakeBorder(small, 30, 30, 40, 40, **frame))
    assert rows.name.tolist() == ["a", "b"] and rows.how[1] == "framed copy"
    rows = found(tmp_path / "large", a=small, b=cv2.copyMakeBorder(large, 30, 30, 40, 40, **frame))
    assert rows.name.tolist() == ["b", "a"], "less its frame it is still the larger"


def test_a_chain_of_likenesses_does_not_join_strangers():
    """Each picture is near the next one, but the ends are far apart: no group may hold both ends."""
    bits = np.array([(1 << (8 * i)) - 1 if i < 8 else 2**64 - 1 for i in range(9)], np.uint64)
    table = pd.DataFrame({"image": list("abcdefghi"), "sha256": list("abcdefghi"), "width": 9, "height": 9, "bytes": 9})
    table = table.assign(sharpness=1.0, phash=bits, dhash=np.uint64(0))
    rows = dedupe.groups(table, max_distance=9 / 128)
    word = dict(zip(table.image, bits.tolist(), strict=True))
    for _, group in rows.groupby("group"):
        kept = word[group.image[group.kept].item()]
        assert all((word[i] ^ kept).bit_count() <= 9 for i in group.image)
    assert rows.group.nunique() > 1


def test_a_bad_file_is_skipped_with_its_reason(tmp_path):
    paths = files(tmp_path, a=scene(1), b=b"hello", c=images.encode(scene(2))[:-900])
    table, skipped = dedupe.fingerprints([*paths, tmp_path / "missing.jpg"])
    assert table.image.tolist() == paths[:1]
    assert [("not an image" in r["reason"], "cut short" in r["reason"]) for r in skipped[:2]] == [(1, 0), (0, 1)]
    screened = dedupe.screen(table, skipped=skipped)
    assert (screened.check == "unreadable").sum() == 3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_a_damaged_jpeg_has_a_fingerprint_or_the_reason_that_images_gives(seed, count):
    rng, content = np.random.default_rng(seed), bytearray(images.encode(scene(1, w=80, h=60)))
    for at in rng.integers(2, len(content), count):
        content[at] = rng.integers(256)
    damaged = bytes(content[: rng.integers(len(content) // 2, 2 * len(content))])
    try:
        grey, (w, h) = prints._read(damaged, damaged)
    except images.UnreadableImage as trouble:
        with pytest.raises(images.UnreadableImage) as other:
            images.read(damaged)
        assert trouble.reason == other.value.reason
    else:
        assert (w > h) == (grey.shape[1] > grey.shape[0]) and images.read(damaged).shape[:2] == (h, w)


def test_a_mistake_of_ours_in_reading_is_not_hidden(tmp_path, monkeypatch):
    def convert(image, mode):
        assert mode != "L", "ours"
        return plain(image, mode)

    plain = Image.Image.convert
    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(AssertionError, match="ours"):
        dedupe.fingerprints(files(tmp_path, a=scene(1)))


def test_flat_pictures_do_not_all_become_one(tmp_path):
    even = {f"e{i}": np.full((90, 90, 3), 40 * i, np.uint8) for i in range(5)}
    assert found(tmp_path, **even).empty


def test_tiny_and_odd_pictures_have_fingerprints(tmp_path):
    shapes = [(1, 1), (1, 300), (300, 1), (2, 2), (5, 1000)]
    pictures = {f"p{i}": np.random.default_rng(i).integers(0, 255, (*s, 3), np.uint8) for i, s in enumerate(shapes)}
    table, skipped = dedupe.fingerprints(files(tmp_path, **pictures))
    assert len(table) == 5 and not skipped and len(dedupe.groups(table)) < 5


def test_screening_names_each_kind_of_bad_picture(tmp_path):
    good = scene(1)
    bad = {
        "tiny": scene(2, w=40, h=28),
        "blurred": cv2.GaussianBlur(good, (0, 0), 9),
        "dark": (good * 0.1).astype(np.uint8),
        "light": (245 + good / 26).astype(np.uint8),
        "flat": np.full((200, 200, 3), 120, np.uint8)
        + np.random.default_rng(0).integers(0, 9, (200, 200, 3), np.uint8),
        "odd aspect": scene(3, w=640, h=150),
    }
    table, _ = dedupe.fingerprints(files(tmp_path, good=good, **bad))
    screened = dedupe.screen(table, find=lambda rgb: [] if rgb.shape[:2] == (28, 40) else [1])
    named = {(row.image.split("/")[-1][:-4], row.check) for row in screened[screened.bad].itertuples()}
    assert {(k, k) for k in bad} <= named and ("tiny", "no face") in named and not any(n == "good" for n, _ in named)
    assert len(screened) == 7 * len(table)
    assert screened[screened.bad & (screened.check == "tiny")].reason.tolist() == ["tiny: 28 < 32"]
    strict = dedupe.screen(table, thresholds={"tiny": 1000})
    assert strict[strict.check == "tiny"].bad.all()
    with pytest.raises(ValueError, match="no check"):
        dedupe.screen(table, thresholds={"ugly": 1})


def test_decisions_go_to_the_manifest_and_come_back(tmp_path):
    paths = files(tmp_path, a=scene(1), b=scene(1)[:, ::-1].copy(), c=(scene(2) * 0.1).astype(np.uint8), d=scene(3))
    before = {p: images.sha256(p) for p in paths}
    table, _ = dedupe.fingerprints(paths)
    made = dedupe.decisions(dedupe.groups(table), dedupe.screen(table))
    with Manifest(tmp_path / "manifest.sqlite") as manifest:
        for row in table.itertuples():
            manifest.add_image(row.sha256, row.image, bytes=row.bytes, width=row.width, height=row.height)
        manifest.decide("dedupe", made)
        kept = manifest.kept()
        assert {before[paths[3]]} < set(kept.sha256) and len(kept) == 2
        said = manifest.standing().set_index("sha256").reason
        assert "dark: " in said[before[paths[2]]] and any("mirrored copy of" in r for r in said)
        manifest.undo("dedupe")
        assert len(manifest.kept()) == 4
    assert {p: images.sha256(p) for p in paths} == before, "nothing was deleted or changed"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 8, 30, 32]), st.sampled_from([0, 1, 255]))
def test_the_hashes_are_those_of_imagehash_bit_for_bit(seed, detail, contrast):
    """Noise, smooth, flat and two-toned pictures: all at once gives what imagehash gives for each."""
    noise = np.random.default_rng(seed).integers(0, contrast + 1, (3, detail, detail), dtype=np.uint8)
    grey = np.stack([cv2.resize(n, (32, 32), interpolation=cv2.INTER_CUBIC) for n in noise])
    wanted = [
        [int(str(f(Image.fromarray(g))), 16) for f in (imagehash.phash, imagehash.dhash)] for g in [*grey, grey[0].T]
    ]
    assert prints.hashes(np.stack([*grey, grey[0].T])).tolist() == wanted


def test_the_order_of_files_does_not_matter(tmp_path):
    pictures = {f"p{i}{c}": p for i in range(8) for c, p in (("a", scene(i)), ("b", scene(i)[4:-4, 6:-2].copy()))}
    table, _ = dedupe.fingerprints(files(tmp_path, **pictures))
    plain, turned = dedupe.groups(table), dedupe.groups(table[::-1])
    assert set(plain.image[plain.kept]) == set(turned.image[turned.kept]) and len(plain) == len(turned) == 16


@pytest.fixture(scope="module", params=["processes", "cluster"])
def executor(request):
    """A process pool, and dask's: two worker processes on the loopback stand for a cluster."""
    if request.param == "processes":
        with ProcessPoolExecutor(2) as pool:
            yield pool
        return
    how = dict(n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None)
    with LocalCluster(**how) as cluster, Client(cluster) as client:
        yield client.get_executor()


def test_processes_and_a_cluster_give_the_same_fingerprints(executor, tmp_path):
    paths = files(tmp_path, a=scene(1), b=b"hello", c=scene(2), d=scene(1)[9:, 20:])
    alone, _ = dedupe.fingerprints(paths)
    together, skipped = dedupe.fingerprints(paths, executor=executor)
    groups = dedupe.groups(together, executor=executor)
    pd.testing.assert_frame_equal(alone, together)
    assert [r["item"] for r in skipped] == [paths[1]]
    pd.testing.assert_frame_equal(groups, dedupe.groups(alone))


def test_processes_and_a_cluster_give_the_same_screening(executor, tmp_path):
    table, _ = dedupe.fingerprints(files(tmp_path, a=scene(1), b=scene(2), c=(scene(3) * 0.1).astype(np.uint8)))
    alone = dedupe.screen(table, find=np.flatnonzero)
    assert "no face" in set(alone.check)
    pd.testing.assert_frame_equal(alone, dedupe.screen(table, find=np.flatnonzero, executor=executor))


def test_processes_and_a_cluster_give_the_same_masked_twins(executor, tmp_path):
    covered = scene(1)
    covered[130:] = 200
    paths = files(tmp_path, a=scene(1), b=covered, c=scene(2), d=b"hello")
    faces = pd.DataFrame({"image": paths, "x1": 90.0, "y1": 60.0, "x2": 210.0, "y2": 220.0, "label": ""})
    alone, _ = dedupe.masked_twins(faces)
    together, skipped = dedupe.masked_twins(faces, executor=executor)
    pd.testing.assert_frame_equal(alone, together)
    assert sorted(alone.image) == paths[:2] and [r["item"] for r in skipped] == [paths[3]]


def test_sheets_have_a_row_a_group_and_a_row_a_kind(tmp_path):
    pictures = {"a": scene(1), "b": scene(1)[:, ::-1].copy(), "c": scene(2), "d": scene(2)[4:-4].copy()}
    dark = {f"e{i}": (scene(9 + i) * 0.1).astype(np.uint8) for i in range(3)}
    table, _ = dedupe.fingerprints(files(tmp_path, **pictures, **dark))
    sheet = dedupe.group_sheet(dedupe.groups(table), columns=3, side=170)
    assert sheet.shape == (2 * 192 + 4, 3 * 174 + 4, 3)
    bad = dedupe.bad_sheet(dedupe.screen(table, skipped=[{"item": "x.jpg", "reason": "cut"}]), columns=4, side=60)
    assert bad.shape[0] >= 2 * 82 and bad.shape[1] == 4 * 64 + 4
    none = dedupe.groups(table[:1])
    assert dedupe.group_sheet(none).ndim == dedupe.bad_sheet(dedupe.screen(table[:1])).ndim == 3


def test_agreement_counts_copies_found_and_pairs_that_are_wrong():
    truth = pd.DataFrame(
        {"sha256": list("abcdef"), "original": list("aaaddf"), "how": ["original", "resized", "cropped"] * 2}
    )
    found = pd.DataFrame({"sha256": list("abef"), "group": [0, 0, 1, 1]})
    table = dedupe.agreement(found, truth)
    assert table.loc["resized"].tolist()[:3] == [2, 1, 0.5] and table.loc["cropped", "found"] == 0
    assert table.loc["all", ["copies", "found", "precision"]].tolist() == [3, 1, 0.5]
    assert dedupe.agreement(found[:0], truth).loc["all", "recall"] == 0


# ------------------------------------------------------------------------------------------- the join


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_the_join_finds_what_comparing_all_finds_and_nothing_else(n, seed):
    rng = np.random.default_rng(seed)
    plain = rng.integers(0, 2**63, (n, 2), dtype=np.uint64)
    twin = plain.copy()
    twin[:, 0] ^= np.uint64(1) << rng.integers(0, 64, n).astype(np.uint64)
    hashes = np.concatenate([plain, twin])
    pairs, bits, _ = join.similar(hashes, max_bits=10)
    naive = {
        (i, j): int(np.bitwise_count(hashes[i] ^ hashes[j]).sum()) for i in range(2 * n) for j in range(i + 1, 2 * n)
    }
    wanted = {k: v for k, v in naive.items() if v <= 10}
    assert dict(zip(map(tuple, pairs.tolist()), bits.tolist(), strict=True)) == wanted


def test_the_join_compares_views_with_plain_hashes_in_both_directions():
    rng = np.random.default_rng(0)
    plain, turned = rng.integers(0, 2**63, (2, 4, 2), dtype=np.uint64)
    plain[3] = turned[0]
    plain[1] = turned[2]
    pairs, bits, view = join.similar(plain, np.stack([plain, turned]), max_bits=5)
    assert pairs.tolist() == [[0, 3], [1, 2]] and bits.tolist() == [0, 0] and view.tolist() == [1, 1]


def test_the_join_grows_with_n_not_n_squared():
    rng = np.random.default_rng(0)
    for n in (2_000, 100_000):
        hashes = rng.integers(0, 2**63, (n, 2), dtype=np.uint64)
        hashes[n // 2 : n // 2 + 500] = hashes[:500] ^ np.uint64(1 << 17)
        pairs, _, _ = join.similar(hashes, max_bits=12)
        assert len(pairs) == 500, n


def test_alignment_takes_out_a_crop_but_not_a_difference():
    def thumb(rgb: np.ndarray) -> np.ndarray:
        return cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (prints.THUMB,) * 2, interpolation=cv2.INTER_AREA)

    whole, other = scene(1), scene(2)
    crops = [whole, whole[20:-4, 8:-20], whole[:, 38:], whole[:-24, :-20], other]
    distance, share = compare.apart(np.stack([thumb(whole)] * 5), np.stack([thumb(c) for c in crops]))
    assert distance[0] == pytest.approx(0, abs=1e-6) and (distance[1:4] < 0.03).all() and distance[4] > 0.2
    assert share[0] == 1 and share[1:4] == pytest.approx([0.905, 0.94, 0.92], abs=0.02)


def test_alignment_does_not_depend_on_which_pairs_are_looked_at_together():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 7, prints.THUMB, prints.THUMB), np.uint8)
    b[:3] = np.roll(a[:3], (1, 2), (1, 2))
    together, alone = compare.apart(a, b), [compare.apart(a[k : k + 1], b[k : k + 1]) for k in range(7)]
    for x, y in zip(together, zip(*alone, strict=True), strict=True):
        assert x == pytest.approx(np.concatenate(y), abs=1e-4)


def test_hashes_in_a_mirror_are_those_of_the_mirrored_picture():
    grey = np.stack([cv2.resize(cv2.cvtColor(scene(i), cv2.COLOR_RGB2GRAY), (32, 32)) for i in range(20)])
    assert prints.hashes(grey, mirror=True).tolist() == prints.hashes(np.concatenate([grey, grey[:, :, ::-1]])).tolist()


def test_planted_groups_are_found_plain_mirrored_and_cropped():
    from benchmarks import dedupe as benchmark

    told = benchmark.grouped(3000)
    assert told["recall"] > 0.97 and told["precision"] == 1, told


def test_changes_drawn_by_chance_are_the_same_for_the_same_seed():
    from benchmarks import copies

    rgb = scene(1)
    one, two, other = (copies.drawn(np.random.default_rng(s)) for s in (0, 0, 1))
    assert len(one) == len(copies.TRANSFORMS) == 12
    assert all(np.array_equal(one[how](rgb), two[how](rgb)) for how in one)
    assert any(one[how](rgb).shape != other[how](rgb).shape for how in one)
    assert all(min(change(rgb).shape[:2]) > 90 and change(rgb).dtype == np.uint8 for change in other.values())


def test_real_copies_are_found_at_high_precision(shared, tmp_path):
    """The made truth of the benchmark, in small: recall far above imagehash's default, hardly a wrong pair."""
    from benchmarks import copies
    from benchmarks import dedupe as benchmark

    photos = copies.without_twins(images.find(shared / "data" / "photos-853" / "images")[::25])
    truth = copies.make(photos, tmp_path)
    recall, precision, _ = benchmark.score(benchmark.ours(sorted(truth)), truth)
    plain, _, _ = benchmark.score(benchmark.default(sorted(truth)), truth)
    assert recall > 0.95 and precision > 0.99 and plain < 0.6, (recall, precision, plain)
