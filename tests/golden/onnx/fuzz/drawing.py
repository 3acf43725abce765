"""A random graph while it is drawn: every node runs in the executors as it is added."""

from bisect import bisect
from collections import Counter
from itertools import accumulate

import numpy as np
import onnx
from onnx import TensorProto, helper

from .executor import Executable

GENERAL, BREVITAS = "qonnx.custom_op.general", "onnx.brevitas"
CHANNELS_LAST, CHANNELS_LAST_VERSION = "qonnx.custom_op.channels_last", 13
OPSETS = range(7, onnx.defs.onnx_opset_version() + 1)
_MAX_ELEMENTS = 4096


class Unrunnable(Exception):
    """The executors do not run a node, or make of it what no network needs (infinities, huge maps)."""


class Drawing:
    """Nodes, initializers and the tensors of one batch of images.

    nodes: NodeProtos in order; initializers: names; context: name -> array of every tensor for one batch;
    opset, general: versions of ONNX and of QONNX's operators; batch: of the file; dyadic: all numbers
    are short binary fractions, so that float32 is exact; oddness: how often it draws what is refused
    wherever it stands; moving: names of the tensors that depend on the image; dropped: operator -> nodes
    that did not run.
    """

    def __init__(self, rng):
        self.rng = rng
        self.opset = int(rng.choice(OPSETS))
        self.general = int(rng.integers(1, 3))
        self.batch = int(rng.integers(1, 4))
        self.dyadic = bool(rng.random() < 0.85)
        self.oddness = float(rng.choice([0.005, 0.02, 0.08]))
        self.nodes, self.initializers, self.executables = [], [], []
        self.context, self.moving, self.dropped = {}, set(), Counter()
        self.annotation = ""
        self.draw_images = None
        self._count = 0

    def maybe(self, probability):
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def odd(self, times=1):
        """True as often as something rare is drawn."""
        return self.maybe(min(1, self.oddness * times))

    def pick(self, options, weights=None):
        """One of a list, or a key of a dict of weights."""
        if isinstance(options, dict):
            options, weights = list(options), list(options.values())
        if weights is None:
            return options[self.between(0, len(options) - 1)]
        sums = list(accumulate(weights))
        return options[bisect(sums, self.rng.random() * sums[-1])]

    def between(self, low, high):
        """An int in low..high."""
        return int(self.rng.integers(low, high + 1))

    def shape(self, name):
        """Sizes of a tensor."""
        return self.context[name].shape

    def images(self, array, draw):
        """Makes `array` the input "x"; draw(): another array like it."""
        self.context["x"], self.draw_images = array, draw
        self.moving.add("x")
        return "x"

    def initializer(self, array):
        """The name of a new initializer."""
        name = f"c{self._next()}"
        array = np.asarray(array)
        self.initializers.append(name)
        self.context[name] = array
        return name

    def op(self, kind, inputs, outputs=1, domain="", **attributes):
        """A new node; its output's name, or a list of names for more `outputs`. None: no attribute."""
        names = [f"t{self._next()}" for _ in range(outputs)]
        version = {"": self.opset, CHANNELS_LAST: CHANNELS_LAST_VERSION}.get(domain, self.general)
        node = helper.make_node(kind, inputs, names, f"{kind}_{self._next()}", domain=domain, **attributes)
        if kind == "Div" and self._traps(*inputs):
            raise Unrunnable("Div: by 0 or -1")
        try:
            executable = Executable(node, self.context, version)
            with np.errstate(all="ignore"):
                executable.run(self.context)
        # Both executors raise whatever they like.
        except Exception as error:
            self.dropped[kind] += 1
            raise Unrunnable(f"{kind}: {error}") from None
        for array in (self.context[name] for name in names):
            if array.size > _MAX_ELEMENTS or not array.size or not np.isfinite(array).all():
                self.dropped[kind] += 1
                raise Unrunnable(f"{kind}: makes {array.shape}, or what is not finite")
        self.nodes.append(node)
        self.executables.append(executable)
        if not self.moving.isdisjoint(inputs):
            self.moving.update(names)
        return names[0] if len(names) == 1 else names

    def _traps(self, dividend, divisor):
        """Whether an integer division may end the process: by 0, and of the least integer by -1."""
        array = self.context[divisor]
        return array.dtype.kind in "iu" and (divisor in self.moving or bool(np.isin(array, (0, -1)).any()))

    def attempt(self, make, *given):
        """make(self, *given); None, and nothing added, if a node of it does not run."""
        marks = len(self.nodes), len(self.initializers), set(self.moving)
        try:
            return make(self, *given)
        except Unrunnable:
            del self.nodes[marks[0] :], self.executables[marks[0] :], self.initializers[marks[1] :]
            self.moving = marks[2]
            return None

    def run(self, images):
        """Every tensor for a batch of images of the shape of "x"."""
        context = {name: array for name, array in self.context.items() if name not in self.moving}
        context["x"] = images
        for executable in self.executables:
            if not self.moving.isdisjoint(executable.node.input):
                with np.errstate(all="ignore"):
                    executable.run(context)
        return context

    def _next(self):
        self._count += 1
        return self._count


def element(name):
    """The number of an element type of ONNX, as Cast takes it."""
    return getattr(TensorProto, name)
