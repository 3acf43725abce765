"""dorefa.synth.flow.liberty: reading cell libraries, refusing broken ones, and the project's own."""

import gzip
import itertools
import re

import pytest

from dorefa.golden.errors import InputError
from dorefa.synth.flow import liberty

NAND = 'cell (ND2) { area : 4; pin (A) { direction : input; } pin ("B") { direction : input; } ' + (
    'pin (Z) { direction : output; function : "!(A & B)"; timing () { related_pin : "A"; } } }'
)
FLIP_FLOP = 'cell (FD1) { area : 20; ff (IQ, IQN) { clocked_on : "CP"; next_state : "D"; } }'


def library(tmp_path, *cells, head="library (test) {", tail="}"):
    path = tmp_path / "cells.lib"
    path.write_text("\n".join([head, *cells, tail]))
    return path


def test_project_library_counts_in_nand2():
    found = liberty.load()
    assert (found.nand2, found.nand2_area, found.area_unit) == ("NAND2", 1, "NAND2")
    assert found.flip_flops == {"DFF"}
    assert found.cells["INV"].area == 0.5 and found.cells["XOR2"].area == 2.5


def test_functions_of_the_project_library():
    expected = {
        "INV": lambda a: not a,
        "BUF": lambda a: a,
        "NAND2": lambda a, b: not (a and b),
        "NAND3": lambda a, b, c: not (a and b and c),
        "NAND4": lambda a, b, c, d: not (a and b and c and d),
        "NOR2": lambda a, b: not (a or b),
        "NOR3": lambda a, b, c: not (a or b or c),
        "AND2": lambda a, b: a and b,
        "OR2": lambda a, b: a or b,
        "XOR2": lambda a, b: a != b,
        "XNOR2": lambda a, b: a == b,
        "AOI21": lambda a, b, c: not (a and b or c),
        "OAI21": lambda a, b, c: not ((a or b) and c),
        "AOI22": lambda a, b, c, d: not (a and b or c and d),
        "OAI22": lambda a, b, c, d: not ((a or b) and (c or d)),
        "MUX2": lambda a, b, s: b if s else a,
    }
    cells = liberty.load().cells
    assert set(expected) == set(cells) - {"DFF"}
    for name, function in expected.items():
        for values in itertools.product((False, True), repeat=len(cells[name].pins)):
            pins = dict(zip(cells[name].pins, values, strict=True))
            assert liberty.evaluate(cells[name].functions["Y"], pins) == function(*values), name


def test_delays_of_the_project_library_are_linear_in_the_load():
    tables = re.findall(r'values \("([\d.]+), ([\d.]+)", "([\d.]+), ([\d.]+)"\)', liberty.load().text)
    assert len(tables) > 100
    for rows in tables:
        light, heavy, light_again, heavy_again = map(float, rows)
        # tau = 10 ps for each unit of load, of which the second column has 100; edges do not count.
        assert round(heavy - light, 2) == 1000
        assert (light, heavy) == (light_again, heavy_again)


def test_reads_what_libraries_write(tmp_path):
    path = library(
        tmp_path,
        "/* a { comment */ // another }",
        'define (note, library, string); unit (1, "pf") ;',
        NAND,
        FLIP_FLOP,
        'table () { values ("1, 2", \\',
        '"3, (4"); }',
        "ratio : 1 * VDD ;",
    )
    found = liberty.load(path)
    assert (found.name, found.nand2, found.nand2_area, found.area_unit) == ("test", "ND2", 4, "um2")
    assert found.flip_flops == {"FD1"}
    assert found.cells["ND2"].pins == ["A", "B"]


def test_smallest_nand_is_the_gate_equivalent(tmp_path):
    large = NAND.replace("ND2", "ND2X4").replace("area : 4", "area : 9")
    other = NAND.replace("ND2", "AN2").replace("area : 4", "area : 1").replace("!(A & B)", "A B")
    found = liberty.load(library(tmp_path, large, other, NAND, FLIP_FLOP))
    assert (found.nand2, found.nand2_area) == ("ND2", 4)


@pytest.mark.parametrize(
    "function, truth",
    [
        ("(!A) | (!B)", "1110"),
        ("A' + B'", "1110"),
        ("(A B)'", "1110"),
        ("!(A*B)", "1110"),
        ("A ^ B & 1", "0110"),
        ("!A'", "0011"),
        ("A&B|0", "0001"),
        ("(A+B) (A+!B)", "0011"),
    ],
)
def test_evaluate(function, truth):
    values = [{"A": a, "B": b} for a in (False, True) for b in (False, True)]
    assert "".join("01"[liberty.evaluate(function, pins)] for pins in values) == truth


@pytest.mark.parametrize("function", ["", "A +", "(A", "A)", "A ? B", "C"])
def test_evaluate_refuses(function):
    with pytest.raises(ValueError):
        liberty.evaluate(function, {"A": True, "B": True})


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "the file ends before any library; accepted: a complete Liberty file"),
        ("library (t) { cell (ND2) { area : 4", "the file ends inside cell (ND2); accepted: a complete"),
        ("module top; endmodule", "line 1: 'module top; endmodule' is not expected here; accepted: a"),
        ("\n\nlibrary (t) { area = 3; }", "line 3: 'area = 3; }' is not expected here"),
        ("library (t) { }\n}", "line 2: '}' is not expected here"),
        ("cell (t) { }", "line 1: 'cell (t) { }' is not expected here"),
        ("library (t) { cell (A) { area : big; } }", "cell (A): area is 'big'; accepted: a number"),
        ("library (t) {" + NAND + "}", "library t has no flip-flop among 1 cells; accepted: a library with"),
        ("library (t) {" + FLIP_FLOP + "}", "library t has no NAND2 with an area among 1 cells; accepted"),
        ("library (t) {" + FLIP_FLOP + NAND.replace("area : 4;", "") + "}", "library t has no NAND2 with"),
        ("library (t) {" + FLIP_FLOP + NAND.replace("A & B", "A ? B") + "}", "library t has no NAND2 with"),
    ],
)
def test_broken_libraries_are_refused_in_one_line(text, message, tmp_path):
    path = tmp_path / "cells.lib"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        liberty.load(path)
    assert str(caught.value).startswith(f"{path}: {message}") and "\n" not in str(caught.value)


def test_compressed_library(tmp_path):
    plain = library(tmp_path, NAND, FLIP_FLOP)
    compressed = tmp_path / "cells.lib.gz"
    compressed.write_bytes(gzip.compress(plain.read_bytes()))
    assert liberty.load(compressed) == liberty.load(plain)
    whole = compressed.read_bytes()
    for hostile in (whole[:-9], whole[:-1], whole[:2], whole[:12] + b"\xff" * 20):
        compressed.write_bytes(hostile)
        with pytest.raises(InputError, match=r"cells\.lib\.gz: [^\n]*; accepted: a Liberty file") as caught:
            liberty.load(compressed)
        assert "\n" not in str(caught.value)


def test_more_than_a_library(tmp_path, monkeypatch):
    monkeypatch.setattr(liberty, "LIMIT", 100)
    compressed = tmp_path / "cells.lib.gz"
    compressed.write_bytes(gzip.compress(b" " * 101))
    with pytest.raises(InputError, match=r"more than 100 bytes; accepted: a Liberty file .*, at most that"):
        liberty.load(compressed)


def test_more_statements_than_a_library(tmp_path, monkeypatch):
    monkeypatch.setattr(liberty, "MAX_STATEMENTS", 50)
    path = library(tmp_path, NAND, FLIP_FLOP)
    assert liberty.load(path).nand2 == "ND2"
    with pytest.raises(InputError, match=r"more than 50 groups and attributes; accepted: at most that$"):
        liberty.load(library(tmp_path, NAND, FLIP_FLOP, "a : 1;" * 50))


@pytest.mark.parametrize("function", ["(" * 100_000 + "A", "!" * 100_000 + "A", "A " * 100_000, "A'" * 50])
def test_a_function_that_no_gate_has(function, tmp_path):
    path = library(tmp_path, NAND.replace("ND2", "odd").replace("!(A & B)", function), NAND, FLIP_FLOP)
    assert liberty.load(path).nand2 == "ND2"


@pytest.mark.parametrize("area", ["nan", "inf", "-1", "1e999", "x" * 1000])
def test_an_area_that_is_none(area, tmp_path):
    path = library(tmp_path, NAND.replace("4", area), FLIP_FLOP)
    with pytest.raises(
        InputError, match=r"cell \(ND2\): area is '[^\n]{,100}; accepted: a number, not negative$"
    ):
        liberty.load(path)


def test_missing_file_and_binary_file(tmp_path):
    with pytest.raises(
        InputError, match=r"none\.lib: cannot be read .No such file or directory.; accepted: a Liberty file"
    ):
        liberty.load(tmp_path / "none.lib")
    path = tmp_path / "cells.lib"
    path.write_bytes(b"\x1f\x9d\x08\x00\xff\xfe")
    with pytest.raises(InputError, match="line 1: .* is not expected here; accepted: a Liberty file"):
        liberty.load(path)
