"""The results of a network from the outputs of its file."""

from collections.abc import Mapping

from ..errors import InputError
from ..network.results import Result, Term
from .builder import Builder
from .file.graph import Graph
from .values.draft import Codes
from .values.file_axes import are_same, file_order, is_turned
from .values.tensors import Answer, Blocks, Joined, Regrouped, Scores, Sums, Tensor


def results_of(graph: Graph, known: Mapping[str, Tensor], builder: Builder) -> list[Result]:
    """The results, one for each output of the file; known: the tensors that depend on a quantized image.

    Outputs of probabilities and classes are left out where another one has the scores behind them.
    """
    if not graph.nodes:
        raise InputError("graph: has no nodes; accepted: a network")
    makers = {name: node for node in graph.nodes for name in node.outputs}
    results: list[Result] = []
    made: list[tuple[Codes | Sums, tuple[Term, ...]]] = []
    for name, scores in _scores(graph, known):
        parts = []
        block = scores.block if isinstance(scores, Blocks) else (1, 1)
        inner = scores.inner if isinstance(scores, Blocks | Regrouped) else scores
        for part in inner.parts if isinstance(inner, Joined) else (inner,):
            terms = next((terms for other, terms in made if are_same(part, other)), None)
            if terms is None:
                terms = builder.result(makers.get(name, graph.nodes[-1]), part)
                made.append((part, terms))
            parts.append(terms)
        if is_turned(scores):
            raise InputError(f"graph: output {name} has columns before rows; accepted: rows first")
        results.append(Result(name, tuple(parts), file_order(scores), block))
    return results


def _scores(graph: Graph, known: Mapping[str, Tensor]) -> list[tuple[str, Scores]]:
    """Name and scores of every output that is a result, in order."""
    kept: list[tuple[int, str, Scores]] = []
    outputs = [(place, name, known.get(name)) for place, name in enumerate(graph.outputs)]
    # Scores themselves first: what only follows them adds nothing.
    for place, name, tensor in sorted(outputs, key=lambda output: isinstance(output[2], Answer)):
        if not isinstance(tensor, Codes | Sums | Joined | Blocks | Regrouped | Answer):
            raise InputError(
                f"graph: output {name} does not depend on a quantized image; "
                "accepted: a network with Quant nodes"
            )
        scores = tensor.scores if isinstance(tensor, Answer) else tensor
        if not isinstance(tensor, Answer) or not any(are_same(scores, other) for _, _, other in kept):
            kept.append((place, name, scores))
    return [(name, scores) for _, name, scores in sorted(kept, key=lambda output: output[0])]
