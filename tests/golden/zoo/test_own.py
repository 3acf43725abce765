"""Architectures in files of a user: all their parts fit together, and Python is run."""

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.random.network import random_images
from dorefa.golden.run.integer import run_integer
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.architectures import find
from dorefa.golden.zoo.own import read

from .test_toml_form import ARCHITECTURE, TEXT


def refusal(path, text):
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ") and str(error.value).isprintable()
    assert str(error.value).count("; accepted") == 1
    return str(error.value).removeprefix(f"{path}: ")


def test_a_file_has_random_weights(tmp_path, seed):
    path = tmp_path / "own.toml"
    path.write_text(TEXT)
    network = catalog.load(str(path), net_w=2, net_a=3, seed=seed, size=(10, 12))
    assert network.name == "own" and network.input_shape == (10, 12, 3) and network.input_bits == 3
    assert [layer.w_bits for layer in network.layers] == [2, 2, 2, 4]
    outline = catalog.outline(str(path), net_w=2, net_a=3, size=(10, 12))
    assert outline.shapes == network.shapes and outline.links == network.links
    integers = lower(network)
    results = run_integer(integers, random_images(integers, 8, seed))
    assert len(np.unique(results["first ä"])) == 8 and results["d"].std() > 0


def test_the_zoo_is_not_asked_for_files(tmp_path):
    path = tmp_path / "digits.TOML"
    path.write_text(TEXT)
    # No trained weights for what is called as one of the zoo.
    assert len(catalog.load(str(path)).layers) == 4
    with pytest.raises(
        InputError, match=r"'none' is not in the zoo; known: .*, or a file ending in .toml or .py$"
    ):
        find("none")


@pytest.mark.parametrize("area, kernel", [(2, (1, 2)), (6, (2, 3)), (1, (1, 1)), (25, (5, 5))])
def test_codes_spread_behind_every_window(tmp_path, seed, area, kernel):
    path = tmp_path / "own.toml"
    path.write_text(
        f"""
input_shape = [12, 12, 8]
last_w = 1
[[layers]]
name = "a"
kind = "conv"
channels = 16
kernel = 3
pool = {{kind = "max", kernel = {list(kernel)}, stride = {list(kernel)}}}
[[layers]]
name = "b"
kind = "fc"
channels = 2
"""
    )
    network = lower(catalog.load(str(path), net_a=2, seed=seed))
    codes = run_integer(network, random_images(network, 16, seed))["a"]
    counts = np.bincount(codes.ravel(), minlength=4)
    assert (counts > 0).all() and counts.max() < 0.8 * counts.sum()


@pytest.mark.parametrize(
    "old, new, message",
    [
        (
            'source = "first ä"\nadd',
            'source = "d"\nadd',
            "own on 9x8 images: layer c: source is 'd', no layer before it; accepted: input, first ä, b",
        ),
        (
            'add = "b"',
            'add = "d"',
            "layer c: add is 'd', which does not come before it; accepted: first ä, b",
        ),
        (
            'add = "b"',
            'add = "first ä"',
            "layer c: add is 'first ä', which has no rescale; accepted: a layer with",
        ),
        ('name = "b"', 'name = "c"', "layer c: the name is used 2 times; accepted: each name once"),
        (
            'name = "b"',
            'name = "input"',
            "own on 9x8 images: layer name is 'input'; accepted: any but 'input'",
        ),
        ("groups = 2", "groups = 3", "own on 9x8 images: layer b: groups is 3; accepted: a divisor of"),
        ("kernel = 3", "kernel = 12", "own on 9x8 images: layer first ä: kernel covers 12 rows"),
        ("kernel = 2,", "kernel = 9,", "own on 9x8 images: layer first ä: pool kernel covers 9 rows"),
        (
            "global_pool = true",
            'pool = {kind = "max", kernel = 1, stride = 1}\nglobal_pool = true',
            "layer c: pool and global_pool; accepted: one of them",
        ),
        (
            "[9, 8, 3]",
            "[1000000, 1000000, 3]",
            "own on 1000000x1000000 images: layer first ä: kernel reads a padded map of",
        ),
        (
            "kernel = 3",
            "kernel = 100000",
            "own on 9x8 images: layer first ä: 240000000000 weights up to here; accep",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path, old, new, message):
    assert TEXT.count(old) == 1, old
    found = refusal(tmp_path / "own.toml", TEXT.replace(old, new))
    assert found.startswith(message), found


PYTHON = """
from dorefa.golden.network.parts import Pool
from dorefa.golden.zoo.architecture import Architecture, LayerSpec

pool = Pool(kind="max", kernel=2, stride=1)
blocks = [
    LayerSpec(name=f"conv{n}", kind="conv", channels=4 * n, kernel=3, pool=pool) for n in (1, 2)
]
last = LayerSpec(name="fc", kind="fc", channels=2, norm=False, bias=True)
architecture = Architecture(
    name="blocks", input_shape=(9, 8, 3), input_bits=8, layers=(*blocks, last), first_w=1, last_w=8
)
"""


def test_a_python_file_makes_an_architecture(tmp_path):
    path = tmp_path / "blocks.py"
    path.write_text(PYTHON)
    architecture = find(str(path))
    assert architecture.name == "blocks" and [spec.channels for spec in architecture.layers] == [4, 8, 2]
    path.write_text(f"architecture = {ARCHITECTURE!r}")
    assert "line 1: NameError: name 'Architecture' is not defined" in refusal(path, path.read_text())


ACCEPTED = "; accepted: Python that gives `architecture` an Architecture (dorefa.golden.zoo.architecture)"


@pytest.mark.parametrize(
    "old, new, message",
    [
        (PYTHON, "", "no architecture" + ACCEPTED),
        (PYTHON, "architecture = 'digits'", "architecture is 'digits'" + ACCEPTED),
        ("in (1, 2)", "in 1, 2)", "line 7: SyntaxError: closing parenthesis ')' does not match opening"),
        ("in (1, 2)", "in (1, 2 / 0)", "line 7: ZeroDivisionError: division by zero" + ACCEPTED),
        ("last =", "raise SystemExit(3)\nlast =", "line 9: SystemExit: 3" + ACCEPTED),
        ("last =", "raise ValueError('a\\n\\x07b')\nlast =", "line 9: ValueError: a" + ACCEPTED),
        (
            "last =",
            "import nothing_of_this_name\nlast =",
            "line 9: ModuleNotFoundError: No module named 'nothing_",
        ),
        ("channels=2", "channels=0", "line 9: layer fc: channels is 0; accepted: an integer in 1..65536"),
        (
            "channels=2",
            "chanels=2",
            "line 9: TypeError: LayerSpec.__init__() got an unexpected keyword argument",
        ),
        (
            "stride=1",
            "",
            "line 5: TypeError: Pool.__init__() missing 1 required keyword-only argument: 'stride'",
        ),
        ("pool=pool", "pool=2", "line 7: layer conv1: pool is 2; accepted: a Pool or None"),
        ("layers=(*blocks, last)", "layers=blocks[0]", "line 10: network blocks: layers is LayerSpec("),
        ("(9, 8, 3)", "(5, 8, 3)", "blocks on 5x8 images: layer conv2: kernel covers 3 rows"),
    ],
)
def test_python_that_fails_is_named_with_its_line(tmp_path, old, new, message):
    assert PYTHON.count(old) == 1, old
    found = refusal(tmp_path / "blocks.py", PYTHON.replace(old, new))
    assert found.startswith(message), found


def test_files_that_cannot_be_read(tmp_path):
    for name, accepted in (("no.toml", "an architecture as TOML"), ("no.py", "Python that gives")):
        with pytest.raises(InputError) as error:
            read(tmp_path / name)
        message = f"{tmp_path / name}: cannot be read (No such file or directory); accepted: {accepted}"
        assert str(error.value).startswith(message)
    (tmp_path / "a.py").mkdir()
    with pytest.raises(InputError, match=r"a\.py: .*; accepted: Python that gives `architecture`"):
        read(tmp_path / "a.py")
