"""The nodes of an ONNX graph and their order, whatever file they come from."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from ...errors import InputError

# Elements of the image or of a feature map.
MAX_ELEMENTS = 1 << 27
# Weights of a layer that no file holds: those of layers that move channels, zeros between taps.
MAX_MADE = 1 << 24


@dataclass(frozen=True, eq=False)
class Node:
    """One operator: `name` is the file's, or the operator and its number where it has none.

    position: its place in the file. After the check against the declarations `attributes` holds all defaults
    too, `since` the version of its operator's schema, `result` the element type of its first output.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    position: int = 0
    since: int = 0
    result: str = ""

    def refuse(self, problem: str, accepted: str) -> NoReturn:
        """Raises InputError with the node's name and operator."""
        raise InputError(f"node {self.name} ({self.op}): {problem}; accepted: {accepted}")

    def integer(self, name: str) -> int:
        """The attribute `name`."""
        value: int = self.attributes[name]
        return value

    def integers(self, name: str) -> tuple[int, ...] | None:
        """The attribute `name`, or None."""
        return self.attributes.get(name)

    def number(self, name: str) -> float:
        """The attribute `name`, which must be finite."""
        value: float = self.attributes[name]
        if not math.isfinite(value):
            self.refuse(f"{name} is {value}", "a finite number")
        return value

    def text(self, name: str) -> str:
        """The attribute `name`."""
        value: str = self.attributes[name]
        return value

    def has(self, place: int) -> bool:
        """Whether it has an input at `place`."""
        return place < len(self.inputs) and self.inputs[place] != ""


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes that the output needs, in topological order, and named constants.

    input_shape: the one input, batch first; element_type: of its elements; input_type: data type of QONNX
    that the file declares for it, "" where it is a float; uses: how often each tensor is read, outputs
    included; opsets: domain -> version of its operators; functions: (domain, name) that the file defines;
    types: tensor -> data type of QONNX that the file annotates; notes: see IntegerNetwork.
    """

    name: str
    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]
    input_name: str
    input_shape: tuple[int, ...]
    element_type: str
    input_type: str
    outputs: tuple[str, ...]
    uses: dict[str, int]
    opsets: dict[str, int]
    functions: Collection[tuple[str, str]]
    types: dict[str, str]
    notes: tuple[str, ...] = ()

    @cached_property
    def readers(self) -> dict[str, list[tuple[Node, int]]]:
        """Tensor -> pairs of a node that reads it and the place where it does."""
        found: dict[str, list[tuple[Node, int]]] = {}
        for node in self.nodes:
            for place, name in enumerate(node.inputs):
                found.setdefault(name, []).append((node, place))
        return found


def needed_nodes(nodes: list[Node], known: Collection[str], outputs: tuple[str, ...]) -> tuple[Node, ...]:
    """The nodes that `outputs` need, each after those it reads; known: inputs and initializers.

    InputError for a tensor that nothing or more than one node makes, and for a cycle.
    """
    producers = _producers(nodes, known)
    for output in outputs:
        if output not in producers and output not in known:
            raise InputError(f"graph: output {output} is made by no node; accepted: by one")
    result: list[Node] = []
    done: set[str] = set()
    entered: set[str] = set()
    stack = [producers[name] for name in reversed(outputs) if name in producers]
    while stack:
        node = stack[-1]
        if node.name in done:
            stack.pop()
            continue
        entered.add(node.name)
        waiting = [before for before in _read_nodes(node, producers, known) if before.name not in done]
        for before in waiting:
            if before.name in entered:
                node.refuse(
                    f"reads {before.outputs[0]} of {before.name}, which depends on it",
                    "a graph without cycles",
                )
        if waiting:
            stack.extend(waiting)
        else:
            done.add(node.name)
            result.append(stack.pop())
    return tuple(result)


def _producers(nodes: list[Node], known: Collection[str]) -> dict[str, Node]:
    """Tensor -> the one node that makes it."""
    producers: dict[str, Node] = {}
    for node in nodes:
        for name in filter(None, node.outputs):
            if name in producers or name in known:
                node.refuse(f"its output {name} exists already", "each tensor from one node")
            producers[name] = node
    return producers


def _read_nodes(node: Node, producers: dict[str, Node], known: Collection[str]) -> list[Node]:
    """The nodes whose results `node` reads."""
    for name in filter(None, node.inputs):
        if name not in producers and name not in known:
            node.refuse(
                f"reads {name}, which no node, input or initializer provides", "tensors that are there"
            )
    return [producers[name] for name in node.inputs if name in producers]
