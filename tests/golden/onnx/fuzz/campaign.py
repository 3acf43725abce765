"""Random graphs until so many were accepted; what was drawn, refused and compared, counted."""

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper

from .compare import compare
from .drawing import Unrunnable
from .graphs import draw

# What differs from graph to graph in a refusal, and what stands for it: names, numbers, lists of numbers.
_VARYING = {
    r"\b[tc]\d+\b|\b(node|[A-Z]\w+)[._]\d+(\.\w+)?": "T",
    r"-?\d+(\.\d+)?(e[+-]?\d+)?": "N",
    r"[(\[][N, ]*[)\]]": "(...)",
}


@dataclass
class Tally:
    """Counts of a campaign; first: number of its first graph; features: (operator, what is drawn of it) ->
    [drawn, accepted]."""

    seed: int
    first: int = 0
    drawn: int = 0
    unrunnable: int = 0
    undefined: int = 0
    accepted: int = 0
    codes: int = 0
    scores: int = 0
    decided: int = 0
    refusals: Counter = field(default_factory=Counter)
    dropped: Counter = field(default_factory=Counter)
    features: dict = field(default_factory=dict)
    different: str = ""

    def lines(self):
        """The report, a line each."""
        yield (
            f"seed {self.seed}: {self.drawn} graphs drawn, {self.unrunnable} not runnable, "
            f"{self.undefined} undefined by ONNX, "
            f"{sum(self.refusals.values())} refused, {self.accepted} accepted"
        )
        yield (
            f"{self.codes} codes and {self.scores} scores compared, {self.decided} decided by exact "
            f"arithmetic, {'1 graph' if self.different else '0'} different"
        )
        if self.different:
            yield self.different

    def tables(self):
        """Refusals, what no executor ran, and per operator what was drawn and accepted, a line each."""
        yield "refused:"
        yield from (f"{count:7} {reason}" for reason, count in self.refusals.most_common())
        yield "nodes that the executors did not run, drawn again: " + ", ".join(
            f"{kind} {count}" for kind, count in self.dropped.most_common()
        )
        yield "operator: feature drawn/accepted"
        never = []
        for kind in sorted({kind for kind, _ in self.features}):
            found = sorted((what, counts) for (k, what), counts in self.features.items() if k == kind)
            yield f"{kind}: " + ", ".join(f"{what} {drawn}/{accepted}" for what, (drawn, accepted) in found)
            if missing := [what for what, counts in found if not counts[1]]:
                never.append(f"{kind}: " + ", ".join(missing))
        yield "never accepted:"
        yield from never


def run(tally, accepted, path):
    """Draws and compares graphs until `accepted` ones are or one is different; goes on where `tally` is.

    path: of the file of each graph in turn, so in the end of the one that is different.
    """
    while tally.accepted < accepted and not tally.different:
        _step(tally, tally.first + tally.drawn, path)


def _step(tally, number, path):
    """Draws and compares graph `number`, which depends on it and on the seed alone."""
    tally.drawn += 1
    try:
        drawn = draw(np.random.default_rng([tally.seed, number]))
        outcome = compare(drawn, path)
    # Files that the format's own checker rejects are no test of a reader.
    except (Unrunnable, onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        tally.unrunnable += 1
        return
    if outcome.undefined:
        tally.undefined += 1
        return
    tally.dropped += drawn.drawing.dropped
    read = {*drawn.outputs, *(name for node in drawn.drawing.nodes for name in node.input)}
    found = {feature for node in drawn.drawing.nodes for feature in features(node, drawn.drawing, read)}
    for feature in found:
        counts = tally.features.setdefault(feature, [0, 0])
        counts[0] += 1
        counts[1] += not outcome.refused
    if outcome.refused:
        tally.refusals[_reason(outcome.refused)] += 1
        return
    tally.accepted += 1
    tally.codes += outcome.codes
    tally.scores += outcome.scores
    tally.decided += outcome.decided
    if outcome.different:
        tally.different = f"graph {number} of seed {tally.seed}: {outcome.different}"


def _reason(message):
    """A refusal without what differs from graph to graph."""
    problem = message.split("; accepted: ")[0]
    operator = re.search(r"node \S+ \((\w+)\): ", problem)
    text = problem[operator.end() :] if operator else problem
    for what, sign in _VARYING.items():
        text = re.sub(what, sign, text)
    return f"{operator[1] if operator else 'graph'}: {text[:100]}"


def features(node, drawing, read):
    """What the report counts of a node: version, attributes, inputs, outputs, types.

    read: names of the tensors that something reads.
    """
    kind = node.op_type if not node.domain else f"{node.domain.rsplit('.', 1)[-1]}.{node.op_type}"
    where = "" if not drawing.moving.isdisjoint(node.input) else "of constants "
    kind = where + kind
    given = {attribute.name: attribute for attribute in node.attribute}
    names, version = given, drawing.general
    if not node.domain:
        schema = onnx.defs.get_schema(node.op_type, drawing.opset)
        names, version = schema.attributes, schema.since_version
    yield kind, f"v{version}"
    for name in names:
        yield kind, f"{name}{_shown(given.get(name))}"
    for place, name in enumerate(node.input):
        if not name:
            yield kind, f"input {place} left out"
        elif place and name not in drawing.moving:
            yield kind, f"input {place} {_axes(drawing.shape(name))}"
    yield kind, f"{len(node.input)} inputs"
    if node.input and node.input[0]:
        yield kind, str(drawing.context[node.input[0]].dtype)
    for place, name in enumerate(node.output[1:], 1):
        if name:
            yield kind, f"output {place} {'read' if name in read else 'unread'}"


def _axes(shape):
    """A shape of which only the ones stay."""
    return "(" + ", ".join("1" if size == 1 else "n" for size in shape) + ")"


def _shown(attribute):
    if attribute is None:
        return " absent"
    value = helper.get_attribute_value(attribute)
    if isinstance(value, int):
        return f"={value}"
    return f"={value.decode()}" if isinstance(value, bytes) and len(value) < 12 else " given"
