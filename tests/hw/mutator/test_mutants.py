"""Which changes of a source are its mutants, their names and their code."""

import types

import pytest
from amaranth import Signal, signed

from .campaign import check_equivalent
from .components import COMPONENTS
from .equivalent import EQUIVALENT
from .mutants import CHOOSE, drawn, mutants, mutated_code
from .operators import narrower

SOURCE = '''
def plus(x):
    return x + 2


def outside(x):
    return x - 1


class Part:
    def __init__(self):
        self.width = 3

    def elaborate(self, platform):
        """Docstring 4."""
        if self.width < 1:
            raise ValueError(5)
        return [plus(n) for n in range(self.width)]
'''


def names(source, functions=()):
    return [mutant.name for mutant in mutants(source, functions)]


def of_expression(text):
    """What takes the place of an expression."""
    found = names(f"def f(m):\n    return {text}\n", ("f",))
    return {name.split(" -> return ")[-1] if " -> " in name else name.split(": ")[1] for name in found}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a == b", {"a != b"}),
        ("a < b", {"a <= b"}),
        ("a & b", {"a | b", "a", "b"}),
        ("a + b", {"a - b"}),
        ("a << b", {"a >> b"}),
        ("~a", {"a"}),
        ("f(0)", {"f(1)"}),
        ("f(1)", {"f(0)", "f(2)"}),
        ("f(7)", {"f(6)", "f(8)"}),
        ("f(True)", {"f(False)"}),
        ("a if c else b", {"a", "b"}),
        ("a[x:y]", {"a[x + 1:y + 1]"}),
        ("Mux(c, a, b)", {"Mux(c, b, a)"}),
        ("Cat(a, b, c)", {"Cat(b, c, a)"}),
        ("a.eq(b)", {"a.eq(b) dropped"}),
        ("connect(m, a, b)", {"connect(m, a, b) dropped"}),
        ("Signal()", {"Signal(init=1)"}),
        ("Signal(range(9))", {"_narrower(Signal(range(9)))"}),
        ("Signal.like(a)", {"_narrower(Signal.like(a))"}),
        ("f('text', a, name=2)", set()),
    ],
)
def test_operators(text, expected):
    assert of_expression(text) == expected


def test_conditions_are_inverted():
    source = "def f(m):\n    with m.If(a):\n        pass\n    with m.Elif(b):\n        pass\n"
    expected = ["f: m.If(a) -> m.If(a == 0)", "f: m.Elif(b) -> m.Elif(b == 0)"]
    assert names(source, ("f",)) == expected


@pytest.mark.parametrize("shape, init, expected", [(6, 37, 5), (signed(6), -1, -1), (signed(6), 20, -12)])
def test_a_narrower_signal_keeps_the_bits_that_it_has(shape, init, expected):
    """Also where it begins below zero: Amaranth would warn of a number that does not fit."""
    signal = narrower(Signal(shape, init=init, reset_less=True))
    assert (len(signal), signal.init, signal.reset_less) == (5, expected, True)


def test_only_what_elaboration_reaches():
    found = mutants(SOURCE)
    assert {mutant.function for mutant in found} == {"plus", "Part.elaborate"}
    assert [mutant.line for mutant in found] == [3, 3, 3, 16, 16, 16]
    assert {mutant.function for mutant in mutants(SOURCE, ("outside",))} == {"outside"}


def test_names_are_unique():
    for part in COMPONENTS.values():
        found = names(part.source, part.functions)
        assert found and len({*found}) == len(found), part.module


def test_in_loops_also_the_second_time_only():
    source = "def elaborate(m):\n    return [x + y for x in m]\n"
    source = "class C:\n" + "".join(f"    {line}\n" for line in source.splitlines())
    text = "C.elaborate: return [x + y for x in m] -> return [x - y for x in m]"
    assert names(source) == [text, f"{text}, second time only"]


def test_a_seed_is_an_order():
    orders = [[mutant.name for mutant in drawn(SOURCE, (), seed)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2] and sorted(orders[0]) == sorted(orders[2])


@pytest.mark.parametrize("take", [0, 1])
def test_the_code_asks_which(take, tmp_path):
    """Both ways of every mutant are those of its name, and nothing else changes."""
    asked = []

    def choose(*ways):
        asked.append(ways)
        return ways[take]()

    for number, mutant in enumerate(mutants(SOURCE, ("plus",))):
        module = types.ModuleType("mutated")
        exec(mutated_code(SOURCE, tmp_path, mutant), vars(module))
        vars(module)[CHOOSE] = choose
        text = mutant.name.split("return ")[take + 1].removesuffix(" -> ")
        assert module.plus(5) == eval(text, {"x": 5}) and module.outside(5) == 4
        assert len(asked) == number + 1


def test_equivalent_mutants_exist_and_have_reasons():
    check_equivalent()
    assert all(len(reason) > 20 for reasons in EQUIVALENT.values() for reason in reasons.values())
