"""The mutant at work in this process: which functions have other code, and when it counts."""

import types
from functools import wraps

from .components import Part, imported
from .mutants import CHOOSE, Mutant, mutated_code
from .operators import NARROWER, narrower


class Planted:
    """Puts `mutant` into the module of `part`, None for none; for a process that ends afterwards.

    Components are mutated while they are elaborated, as are their parts; functions always. `reached`:
    whether the mutated expression was evaluated; `built`: the distinct components that were elaborated, and
    for which fabric.
    """

    def __init__(self, part: Part, mutant: Mutant | None) -> None:
        self.enabled, self.reached = True, False
        self.built: dict[str, tuple] = {}
        self._second = mutant is not None and mutant.second
        self._depth, self._count = bool(part.functions and not part.inside), 0
        module, inside = imported(part.module), imported(part.inside or part.module)
        if mutant is not None:
            setattr(module, CHOOSE, self._choose)
            setattr(module, NARROWER, narrower)
            code = mutated_code(part.source, part.file, mutant)
            _plain(module, mutant.function).__code__ = _code(code, mutant.function)
        for item in list(vars(inside).values()):
            if isinstance(item, type) and item.__module__ == inside.__name__ and "elaborate" in vars(item):
                self._watch(item)

    def _choose(self, right, wrong):
        """What mutated code calls: the value of one of the two expressions."""
        if not (self._depth and self.enabled):
            return right()
        self._count += 1
        if self._second and self._count != 2:
            return right()
        self.reached = True
        return wrong()

    def _watch(self, component):
        elaborate = component.elaborate

        @wraps(elaborate)
        def watched(instance, platform):
            private = {name: value for name, value in vars(instance).items() if name.startswith("_")}
            fabric = getattr(platform, "fabric", None)
            key = f"{component.__name__} {fabric} {private} {instance.signature}"
            self.built.setdefault(key, (instance, fabric))
            self._depth, self._count = self._depth + 1, 0
            try:
                return elaborate(instance, platform)
            finally:
                self._depth -= 1

        component.elaborate = watched


def _plain(module, dotted):
    """The function itself, without what decorates it."""
    found = module
    for name in dotted.split("."):
        found = vars(found)[name]
    while not isinstance(found, types.FunctionType):
        found = found.fget if isinstance(found, property) else found.__wrapped__
    return found


def _code(code, dotted):
    """The code of a function in that of its module."""
    for name in dotted.split("."):
        code = next(
            const for const in code.co_consts if isinstance(const, types.CodeType) and const.co_name == name
        )
    return code
