"""Planted faults: a component out of a copy of its module in which one place of the text is another."""

import inspect
from types import ModuleType


def mutant(of, place, planted):
    """The class or function `of` out of a copy of its module with `planted` instead of `place`, which has to
    be there once."""
    module = inspect.getmodule(of)
    text = inspect.getsource(module)
    assert text.count(place) == 1, (
        f"{module.__name__} has {place!r} {text.count(place)} times; accepted: once"
    )
    copy = ModuleType(module.__name__)
    copy.__dict__.update(__file__=module.__file__, __package__=module.__package__)
    exec(compile(text.replace(place, planted), module.__file__, "exec"), copy.__dict__)
    return getattr(copy, of.__name__)
