"""Architectures as TOML: what is written is read back, all else is refused by name."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.network.parts import Pool
from dorefa.golden.zoo.architecture import Architecture, LayerSpec
from dorefa.golden.zoo.architectures import ARCHITECTURES, find
from dorefa.golden.zoo.toml_form import architecture_toml, read_architecture


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_of_the_zoo_is_read_back(tmp_path, name):
    path = tmp_path / f"{name}.toml"
    path.write_text(architecture_toml(find(name)))
    assert read_architecture(path) == find(name)
    assert find(str(path)) == find(name)


TEXT = """
input_shape = [9, 8, 3]
last_w = 4
[[layers]]
name = "first ä"
kind = "conv"
channels = 8
kernel = 3
stride = [2, 1]
padding = [1, 0, 1, 0]
dilation = [1, 2]
pool = {kind = "max", kernel = 2, stride = 1, padding = [0, 0, 1, 1]}
[[layers]]
name = "b"
kind = "conv"
channels = 4
groups = 2
source = "first ä"
trunk = true
codes = false
norm = false
[[layers]]
name = "c"
kind = "conv"
channels = 4
source = "first ä"
add = "b"
trunk = true
global_pool = true
positive_slopes = true
[[layers]]
name = "d"
kind = "fc"
channels = 2
norm = false
bias = true
"""
ARCHITECTURE = Architecture(
    name="of my own",
    input_shape=(9, 8, 3),
    input_bits=None,
    first_w=None,
    last_w=4,
    layers=(
        LayerSpec(
            name="first ä",
            kind="conv",
            channels=8,
            kernel=(3, 3),
            stride=(2, 1),
            padding=(1, 0, 1, 0),
            dilation=(1, 2),
            pool=Pool(kind="max", kernel=(2, 2), stride=(1, 1), padding=(0, 0, 1, 1)),
        ),
        LayerSpec(
            name="b", kind="conv", channels=4, groups=2, source="first ä", trunk=True, codes=False, norm=False
        ),
        LayerSpec(
            name="c",
            kind="conv",
            channels=4,
            source="first ä",
            add="b",
            trunk=True,
            global_pool=True,
            positive_slopes=True,
        ),
        LayerSpec(name="d", kind="fc", channels=2, norm=False, bias=True),
    ),
)


def test_every_key(tmp_path):
    path = tmp_path / "of my own.toml"
    path.write_text(TEXT)
    assert read_architecture(path) == find(str(path)) == ARCHITECTURE
    path.write_text(architecture_toml(ARCHITECTURE))
    assert read_architecture(path) == ARCHITECTURE


LAYER_KEYS = (
    "kernel, stride, padding, dilation, groups, name, kind, channels, pool, norm, bias, source, add, trunk, "
    "codes, global_pool, positive_slopes"
)


@pytest.mark.parametrize(
    "old, new, message",
    [
        (
            "last_w = 4",
            "last_w = 4\nx = 1",
            "unknown key 'x'; accepted: input_shape, input_bits, layers, first_w",
        ),
        ("last_w = 4", "name = 'a'", "unknown key 'name'; accepted: input_shape, "),
        ("last_w = 4", "", "no last_w; accepted: all of input_shape, input_bits, layers, first_w, last_w"),
        ("last_w = 4", "last_w = 9", "network own: last_w is 9; accepted: an integer in 1..8"),
        ("last_w = 4", "last_w = 4.0", "network own: last_w is 4.0; accepted: an integer in 1..8"),
        ("last_w = 4", "last_w = 4\nfirst_w = 0", "network own: first_w is 0; accepted: an integer in 1..8"),
        (
            "last_w = 4",
            "last_w = 4\ninput_bits = 16",
            "network own: input_bits is 16; accepted: an integer in 1.",
        ),
        ("[9, 8, 3]", "[9, 8]", "network own: input_shape is [9, 8]; accepted: 3 integers >= 1 (H, W, C)"),
        ("[9, 8, 3]", "'9x8x3'", "network own: input_shape is '9x8x3'; accepted: 3 integers"),
        (
            TEXT,
            "layers = 1\ninput_shape = [1, 1, 1]\nlast_w = 1",
            "layers is 1; accepted: one [[layers]] or more",
        ),
        (
            TEXT,
            "layers = []\ninput_shape = [1, 1, 1]\nlast_w = 1",
            "layers is []; accepted: one [[layers]] or m",
        ),
        (
            TEXT,
            "layers = [1]\ninput_shape = [1, 1, 1]\nlast_w = 1",
            "layer 1 is 1; accepted: a table [[layers]]",
        ),
        (TEXT, "layers = 1\nlayers = 2", "not TOML: Cannot overwrite a value"),
        ("groups = 2", "group = 2", f"layer b: unknown key 'group'; accepted: {LAYER_KEYS}"),
        ('name = "b"\nkind', "kin", "layer 2: unknown key 'kin'; accepted: kernel, "),
        ('name = "b"\n', "", "layer 2: no name; accepted: all of name, kind, channels"),
        ('name = "b"', "name = 2", "layer name is 2; accepted: printable text, not empty"),
        (
            'name = "b"',
            "name = '\\u2028'".replace("'", '"'),
            "layer name is '\\u2028'; accepted: printable text",
        ),
        ('"fc"', '"linear"', "layer d: kind is 'linear'; accepted: conv, fc"),
        ("channels = 2\n", "channels = 0\n", "layer d: channels is 0; accepted: an integer in 1..65536"),
        (
            "channels = 2\n",
            "channels = true\n",
            "layer d: channels is True; accepted: an integer in 1..65536",
        ),
        ("kernel = 3", "kernel = [3]", "layer first ä: kernel is [3]; accepted: 2 integers >= 1 (h, w)"),
        (
            "padding = [1, 0, 1, 0]",
            "padding = 'same'",
            "layer first ä: padding is 'same'; accepted: 4 integers",
        ),
        ("groups = 2", "groups = 2.5", "layer b: groups is 2.5; accepted: an integer >= 1"),
        ("norm = false\nbias", "norm = 0\nbias", "layer d: norm is 0; accepted: True or False"),
        ('source = "first ä"\nadd', "source = 0\nadd", "layer c: source is 0; accepted: printable text"),
        ("pool = {", "pool = 2 #", 'layer first ä: pool is 2; accepted: a table, as {kind = "max", ...}'),
        (
            "stride = 1,",
            "strides = 1,",
            "layer first ä: pool: unknown key 'strides'; accepted: kernel, stride, padding, kind",
        ),
        ("stride = 1,", "", "layer first ä: pool: no stride; accepted: all of kernel, stride, kind"),
        ('"max"', '"mean"', "layer first ä: pool: kind is 'mean'; accepted: max, average, average_codes"),
        ("trunk = true\ncodes", "codes", "layer b: codes is False and trunk False; accepted with it: True"),
        (
            'add = "b"\ntrunk = true',
            'add = "b"',
            "layer c: add is 'b' and trunk False; accepted with it: True",
        ),
    ],
)
def test_other_files_are_refused(tmp_path, old, new, message):
    path = tmp_path / "own.toml"
    assert TEXT.count(old) == 1, old
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(InputError) as error:
        read_architecture(path)
    assert str(error.value).startswith(f"{path}: {message}"), str(error.value)
    assert str(error.value).isprintable() and str(error.value).count("; accepted") == 1
