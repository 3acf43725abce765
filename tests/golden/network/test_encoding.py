"""Encodings: integers and codes, planes that sum to them, and no name of one compared anywhere else."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from dorefa.golden import Encoding, InputError

GOLDEN = Path(__file__).parents[3] / "golden"
MEANING = {
    "bipolar": lambda q, bits: 2 * q - (2**bits - 1),
    "twos_complement": lambda q, bits: q - 2**bits if q >= 2 ** (bits - 1) else q,
    "unsigned": lambda q, bits: q,
}
every = [(encoding, bits) for encoding in Encoding for bits in range(1, 9)]


def all_codes(bits):
    return np.arange(1 << bits, dtype=np.uint8)


@pytest.mark.parametrize(("encoding", "bits"), every)
def test_values_and_codes(encoding, bits):
    codes = all_codes(bits)
    expected = [MEANING[encoding](q, bits) for q in range(1 << bits)]
    values = encoding.values(codes, bits)
    assert values.dtype == np.int16 and values.tolist() == expected
    assert [encoding.values(q, bits) for q in range(1 << bits)] == expected
    back = encoding.codes(values, bits)
    assert back.dtype == np.uint8 and back.tolist() == codes.tolist()
    assert [encoding.codes(value, bits) for value in expected] == codes.tolist()
    assert encoding.range(bits) == (min(expected), max(expected))
    assert set(np.diff(sorted(expected))) == {encoding.step}
    assert encoding.has_zero == (0 in expected)
    assert encoding.symmetric == (sorted(-value for value in expected) == sorted(expected))


@pytest.mark.parametrize(("encoding", "bits"), every)
def test_planes_sum_to_the_value(encoding, bits):
    codes = all_codes(bits).astype(int)
    planes = [(codes >> plane) & 1 for plane in range(bits)]
    coefficients = encoding.coefficients(bits)
    total = sum(c * plane for c, plane in zip(coefficients, planes, strict=True)) + encoding.constant(bits)
    assert np.array_equal(total, encoding.values(all_codes(bits), bits))
    assert encoding.signed_top == (coefficients[-1] < 0)
    assert encoding.corrected == (encoding.constant(bits) != 0)


@pytest.mark.parametrize("bits", range(1, 9))
def test_negated_codes(bits):
    codes = all_codes(bits)
    negated = Encoding.BIPOLAR.negated(codes, bits)
    assert negated.dtype == np.uint8
    assert np.array_equal(Encoding.BIPOLAR.values(negated, bits), -Encoding.BIPOLAR.values(codes, bits))
    for encoding in (Encoding.UNSIGNED, Encoding.TWOS_COMPLEMENT):
        with pytest.raises(ValueError, match="have no opposite"):
            encoding.negated(codes, bits)


@pytest.mark.parametrize(("encoding", "bits"), every)
def test_with_zero_holds_the_same_values_and_0(encoding, bits):
    other, width = encoding.with_zero(bits)
    wanted = {0, *encoding.values(all_codes(bits), bits).tolist()}
    codes = np.arange(1 << width, dtype=np.uint16)
    assert wanted <= {other.values(int(code), width) for code in codes}
    assert (other, width) == ((encoding, bits) if encoding.has_zero else ("twos_complement", bits + 1))


def test_a_divisor_makes_the_greatest_weight_1_only_where_weights_are_fractions():
    assert [Encoding.BIPOLAR.divisor(bits) for bits in (1, 2, 8)] == [1, 3, 255]
    assert Encoding.BIPOLAR.range(3)[1] == Encoding.BIPOLAR.divisor(3)
    assert Encoding.UNSIGNED.divisor(8) == Encoding.TWOS_COMPLEMENT.divisor(8) == 1


def test_members_are_strings():
    assert Encoding.of("bipolar", "x") is Encoding.BIPOLAR
    assert Encoding.of(Encoding.UNSIGNED, "x") is Encoding.UNSIGNED
    assert f"{Encoding.TWOS_COMPLEMENT}" == "twos_complement" == Encoding.plain(True)
    assert json.dumps(list(Encoding)) == '["bipolar", "twos_complement", "unsigned"]'
    assert Encoding.plain(False) == "unsigned"


@pytest.mark.parametrize("value", ["ternary", 2, None, "Bipolar"])
def test_other_names_are_refused(value):
    message = f"here: encoding is {value!r}; accepted: bipolar, twos_complement, unsigned"
    with pytest.raises(InputError) as caught:
        Encoding.of(value, "here: encoding")
    assert str(caught.value) == message


def comparisons(tree):
    """Lines that compare or match something with a member or with its name."""
    names = {encoding.name for encoding in Encoding}
    for node in ast.walk(tree):
        for part in ast.walk(node) if isinstance(node, ast.Compare | ast.MatchValue) else ():
            literal = isinstance(part, ast.Constant) and part.value in tuple(Encoding)
            if literal or isinstance(part, ast.Attribute) and part.attr in names:
                yield part.lineno


def test_comparisons_with_an_encoding_stand_in_its_own_file():
    planted = 'if a == "bipolar":\n    b = c in (Encoding.UNSIGNED,)\n'
    assert sorted(comparisons(ast.parse(planted))) == [1, 2]
    for path in sorted(GOLDEN.rglob("*.py")):
        found = list(comparisons(ast.parse(path.read_text())))
        assert bool(found) == (path == GOLDEN / "network" / "encoding.py"), (path, found)
