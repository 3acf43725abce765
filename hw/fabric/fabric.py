"""What one family offers for counting and adding in its own cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from amaranth import Module

from .chains import Chains
from .tree import Operand


@dataclass(frozen=True, kw_only=True)
class Fabric:
    """The cells of the family `name` that a component may use.

    `library` is the file of cell models, as Yosys finds it; `count(m, lanes, every)` counts lanes as
    :func:`..fabric.tree.count_tree`; `chains` makes additions (None: plain ones are better).
    """

    name: str
    library: str
    count: Callable[[Module, list[Operand], int], list[Operand]]
    chains: Chains | None = None
