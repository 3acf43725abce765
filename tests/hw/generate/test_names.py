"""dorefa.hw.generate.names: which names a module may have."""

import pytest
from pygments.lexer import words
from pygments.lexers.hdl import SystemVerilogLexer

from dorefa.golden.errors import InputError
from dorefa.hw.generate.names import KEYWORDS, checked_name, stem


@pytest.mark.parametrize("name", ["a", "Alpha_2", "dorefa_engine", "a" * 100])
def test_accepted(name):
    assert checked_name(name, "--name") == name
    assert stem(name) == ("dorefa" if name == "dorefa_engine" else name)


@pytest.mark.parametrize(
    "name", ["", "1a", "_a", "a-b", "a b", "a\n", "é", "a" * 101, "wire", "logic", None, 3]
)
def test_refused(name):
    with pytest.raises(InputError, match="--name is .*; accepted: a letter and at most 99 letters, digits"):
        checked_name(name, "--name")


def test_keywords_are_those_of_the_standard():
    """As many as IEEE 1800-2017 lists, all of which another reader of the language knows."""
    found = set()

    def collect(rules):
        for rule in rules:
            if isinstance(rule, words):
                found.update(rule.words)
            elif isinstance(rule, tuple):
                collect(rule)

    for rules in SystemVerilogLexer.tokens.values():
        collect(rules)
    # These it has in rules of their own.
    assert KEYWORDS <= found | {"class", "endclass", "extends"} and len(KEYWORDS) == 248
