"""Folders of PNG files."""

import builtins

import numpy as np
import pytest

from dorefa.golden.data.png import read_classes
from dorefa.golden.errors import InputError

from ...data_support import png_bytes

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
IMAGE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
GOOD = png_bytes(IMAGE)


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("channels", [1, 3])
def test_classes_are_labels_in_the_order_of_their_names(tmp_path, rng, channels):
    images = rng.integers(0, 256, (4, 5, 7, channels), np.uint8)
    names = ["b/2.png", "a/9.png", "10/x.png", "b/1.PNG"]
    write(tmp_path, dict(zip(names, map(png_bytes, images), strict=True)))
    write(tmp_path, {"a/.hidden": b"", ".DS_Store": b""})
    found, labels, classes = read_classes(tmp_path)
    assert classes == ["10", "a", "b"] and labels.tolist() == [0, 1, 2, 2]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, images[[2, 1, 3, 0]])
    # Classes of the training images, of which the test has fewer.
    assert read_classes(tmp_path, ["0", "10", "a", "b"])[1].tolist() == [1, 2, 3, 3]


def test_files_that_pillow_writes_are_read(tmp_path):
    (tmp_path / "a").mkdir()
    Image.fromarray(IMAGE).save(tmp_path / "a" / "1.png")
    np.testing.assert_array_equal(read_classes(tmp_path)[0], IMAGE[None])


@pytest.mark.parametrize(
    "files, where, message",
    [
        ({}, "", "holds nothing; accepted: a folder for each class, "),
        ({"x.png": GOOD}, "x.png", "cannot be read (Not a directory); accepted: a folder for each class, "),
        ({"a/b/x.png": GOOD}, "a/b", "no name of an image; accepted: names ending in .png"),
        (
            {"a/x.png": GOOD, "a/x.jpg": GOOD},
            "a/x.jpg",
            "no name of an image; accepted: names ending in .png",
        ),
        ({"a/.x": b"", "b/x.png": GOOD}, "a", "holds no images; accepted: one .png or more"),
        ({"a/x.png": b""}, "a/x.png", "begins with b''; accepted: PNG of 8 bits, gray or RGB, without"),
        ({"a/x.png": b"GIF89a"}, "a/x.png", "begins with b'GIF89a'; accepted: PNG of 8 bits"),
        ({"a/x.png": GOOD[:25]}, "a/x.png", r"begins with b'\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR'; accepted:"),
        ({"a/x.png": GOOD[:50]}, "a/x.png", "damaged PNG: "),
        ({"a/x.png": GOOD[:-30]}, "a/x.png", "damaged PNG: "),
        ({"a/x.png": GOOD[:60] + b"~" + GOOD[61:]}, "a/x.png", "damaged PNG: "),
        (
            {"a/x.png": png_bytes(IMAGE, bits=16)},
            "a/x.png",
            "has 16 bits and color type 2; accepted: PNG of 8",
        ),
        (
            {"a/x.png": png_bytes(IMAGE, color=3)},
            "a/x.png",
            "has 8 bits and color type 3; accepted: PNG of 8",
        ),
        (
            {"a/x.png": png_bytes(IMAGE, color=6)},
            "a/x.png",
            "has 8 bits and color type 6; accepted: PNG of 8",
        ),
        ({"a/x.png": png_bytes(IMAGE, size=(0, 4))}, "a/x.png", "claims 4x0 pixels; accepted: 1 to 16777216"),
        (
            {"a/x.png": png_bytes(IMAGE, size=(1 << 31, 1 << 31))},
            "a/x.png",
            "claims 2147483648x2147483648 pixels; accepted: 1 to 16777216 of them",
        ),
        ({"a/x.png": png_bytes(IMAGE, size=(4000, 4000))}, "a/x.png", "damaged PNG: "),
        (
            {f"a/{index}.png": png_bytes(IMAGE, size=(4000, 4000)) for index in range(12)},
            "a/0.png",
            "12 images of 4000x4000x3; accepted: at most 536870912 bytes in all",
        ),
    ],
)
def test_what_is_no_set_of_images_is_refused(tmp_path, files, where, message):
    write(tmp_path, files)
    with pytest.raises(InputError) as error:
        read_classes(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / where}: {message}") and str(error.value).isprintable()


def test_images_of_two_sizes_and_unknown_classes_are_refused(tmp_path):
    write(tmp_path, {"a/1.png": GOOD, "b/2.png": png_bytes(IMAGE[..., :1])})
    with pytest.raises(InputError) as error:
        read_classes(tmp_path)
    assert str(error.value) == (f"{tmp_path}/b/2.png: is 2x4x1; accepted: 2x4x3, as {tmp_path}/a/1.png")
    with pytest.raises(InputError) as error:
        read_classes(tmp_path, ["a", "c"])
    assert str(error.value) == f"{tmp_path}/b: no class of the training images; accepted: a, c"


def test_without_pillow_the_extra_is_named(tmp_path, monkeypatch):
    write(tmp_path, {"a/1.png": GOOD})
    original = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "PIL":
            raise ImportError(name)
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError) as error:
        read_classes(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}/a/1.png: reading it needs the package pillow, which is not installed; "
        "accepted: after `pip install dorefa[png]`"
    )
