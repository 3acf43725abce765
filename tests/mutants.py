"""Planted faults: a component out of a copy of its module in which one place of the text is another."""

import inspect
from types import ModuleType


def mutant(of, place, planted, *others):
    """The class or function `of` out of a copy of its module with `planted` instead of `place`, which has to
    be there once; `others`: more such pairs."""
    module = inspect.getmodule(of)
    text = inspect.getsource(module)
    for old, new in ((place, planted), *others):
        times = text.count(old)
        assert times == 1, f"{module.__name__} has {old!r} {times} times; accepted: once"
        text = text.replace(old, new)
    copy = ModuleType(module.__name__)
    copy.__dict__.update(__file__=module.__file__, __package__=module.__package__)
    exec(compile(text, module.__file__, "exec"), copy.__dict__)
    return getattr(copy, of.__name__)
