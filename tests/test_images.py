import contextlib
import functools
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lib import images


def gradient(h: int = 40, w: int = 60) -> np.ndarray:
    """Red grows to the right, green grows downwards."""
    y, x = np.mgrid[:h, :w]
    return np.stack([x * 255 / (w - 1), y * 255 / (h - 1), np.full((h, w), 80)], axis=2).astype(np.uint8)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "CMYK", "1", "I;16", "F"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    grey = Image.fromarray(gradient()).convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        image = (Image.fromarray(gradient()) if mode not in ("F", "1") else grey).convert(mode)
    path = saved(tmp_path / ("a.tif" if mode in ("CMYK", "I;16", "F") else "a.png"), image)
    rgb = images.read(path)
    assert rgb.shape == (40, 60, 3) and rgb.dtype == np.uint8
    brightness = rgb.astype(float).mean(2)
    assert brightness[:, -10:].mean() > brightness[:, :10].mean() + 30


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.new("RGBA", (4, 4), (200, 0, 0, 0)))
    assert (images.read(path) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = Image.fromarray(gradient())
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that undoes each orientation
    stored = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "a.png", stored, exif=exif)
    assert np.array_equal(images.read(path), gradient())
    assert images.size(path) == (60, 40)


def test_reduced_reading_fits_and_never_enlarges(tmp_path: Path) -> None:
    path = images.write(tmp_path / "a.jpg", gradient(300, 500))
    assert images.read(path, max_side=100).shape == (60, 100, 3)
    assert images.read(path, max_side=900).shape == (300, 500, 3)
    exact = images.resize(images.read(path), 100).astype(int)
    assert abs(images.read(path, max_side=100).astype(int) - exact).mean() < 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "not an image"), (b"hello, I am text", "not an image"), (b"<html></html>", "not an image")],
)
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(images.UnreadableImage, match=reason) as caught:
        images.read(path)
    assert caught.value.path == path


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_truncated_file_is_unreadable(tmp_path: Path, suffix: str) -> None:
    content = images.encode(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8), suffix)
    with pytest.raises(images.UnreadableImage, match="damaged or cut short"):
        images.read(content[: len(content) // 2])


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.new("1", (20_000, 20_000)))
    assert path.stat().st_size < 100_000
    with pytest.raises(images.UnreadableImage, match="pixels"):
        images.read(path)


def test_one_pixel_and_one_missing_file(tmp_path: Path) -> None:
    assert images.read(images.write(tmp_path / "a.png", np.zeros((1, 1, 3), np.uint8))).shape == (1, 1, 3)
    with pytest.raises(FileNotFoundError):
        images.read(tmp_path / "b.png")


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_png_round_trip_is_exact(h: int, w: int, seed: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (h, w, 3), np.uint8)
    assert np.array_equal(images.read(images.encode(rgb, ".png")), rgb)


def test_files_are_found_in_natural_order_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("photo10.jpg", "photo2.JPG", "sub/photo1.png", ".hidden/a.jpg", ".part-x.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [p.relative_to(tmp_path).as_posix() for p in images.find(tmp_path)] == [
        "photo2.JPG", "photo10.jpg", "sub/photo1.png"]  # fmt: skip
    with pytest.raises(FileNotFoundError, match="does not exist"):
        images.find(tmp_path / "nowhere")


def test_blur_lowers_sharpness() -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    small = Image.fromarray(sharp).resize((60, 60)).resize((224, 224))
    assert images.sharpness(sharp) > 5 * images.sharpness(np.asarray(small))


def test_an_unreadable_image_crosses_processes() -> None:
    import pickle

    back = pickle.loads(pickle.dumps(images.UnreadableImage("a.jpg", "cut short")))
    assert (str(back), back.path) == ("a.jpg: cut short", "a.jpg")


def test_a_gif_shows_its_first_frame() -> None:
    buffer = io.BytesIO()
    first, second = Image.new("RGB", (9, 9), (250, 0, 0)), Image.new("RGB", (9, 9), (0, 250, 0))
    first.save(buffer, "GIF", save_all=True, append_images=[second])
    assert images.read(buffer.getvalue())[4, 4].tolist() == [250, 0, 0]


@pytest.mark.parametrize("name", ["1²2.jpg", "٣.jpg", "a①.jpg"])
def test_a_digit_that_is_no_number_does_not_end_the_search(tmp_path: Path, name: str) -> None:
    images.write(tmp_path / name, gradient())
    assert [p.name for p in images.find(tmp_path)] == [name]


def test_a_dark_picture_of_16_bits_stays_dark(tmp_path: Path) -> None:
    dark = saved(tmp_path / "dark.tif", Image.fromarray(np.full((4, 4), 200, np.uint16)))
    assert images.read(dark).max() == 1  # 200 of 65535
    light = saved(tmp_path / "light.tif", Image.fromarray(np.full((4, 4), 200, np.float32)))
    assert images.read(light).max() == 200  # a float says nothing of its range: up to 255 it is taken as 8 bits


def test_a_broken_note_on_orientation_is_unreadable_for_read_and_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = io.BytesIO()
    Image.fromarray(gradient()).save(whole, "JPEG", exif=exif)
    start = whole.getvalue().index(b"Exif\0\0") + 6
    path = tmp_path / "a.jpg"
    for cut in range(1, 26):  # the entry's parts, one by one
        content = bytearray(whole.getvalue())
        content[start + cut] ^= 0xFF
        path.write_bytes(content)
        for look in (images.read, images.size):
            with contextlib.suppress(images.UnreadableImage):
                look(path)


FORMATS = {"JPEG": {"exif": True}, "PNG": {"exif": True}, "TIFF": {}, "WEBP": {"exif": True}, "GIF": {}, "BMP": {}}


@functools.cache
def small_file(kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(gradient(12, 16)).save(file, kind, **({"exif": exif} if FORMATS[kind] else {}))
    return file.getvalue()


@given(kind=st.sampled_from(sorted(FORMATS)), data=st.data())
@settings(max_examples=600, deadline=None)
def test_whatever_is_damaged_only_unreadable_comes_out(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(small_file(kind))
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)
    ):
        content[place] = value
    content = content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]
    path = tmp_path_factory.getbasetemp() / f"damaged-{kind}"
    path.write_bytes(content)
    for look in (images.read, images.size, lambda p: images.read(p, max_side=8)):
        try:
            look(path)
        except images.UnreadableImage:
            pass
