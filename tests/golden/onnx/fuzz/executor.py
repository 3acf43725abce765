"""One node of a graph in the executors: onnxruntime for ONNX, the qonnx package for its own operators.

What the qonnx package's execute_onnx does node by node, without its need for shapes of all tensors
and with inputs that are left out.
"""

import numpy as np
import onnxruntime
from onnx import helper
from qonnx.custom_op import registry

_OPTIONS = onnxruntime.SessionOptions()
_OPTIONS.intra_op_num_threads = _OPTIONS.inter_op_num_threads = 1
_OPTIONS.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
# What cannot run raises; nothing is logged beside it.
_OPTIONS.log_severity_level = 4
onnxruntime.set_default_logger_severity(4)


class Executable:
    """A node that runs again and again on tensors of the same shapes.

    context: name -> array of its inputs at least; version: of the opset of the node's domain.
    """

    def __init__(self, node, context, version):
        self.node, self._version = node, version
        self._session = None if node.domain else self._load(context)

    def _load(self, context):
        inputs = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(context[name].dtype), context[name].shape
            )
            for name in dict.fromkeys(filter(None, self.node.input))
        ]
        outputs = [helper.make_empty_tensor_value_info(name) for name in filter(None, self.node.output)]
        graph = helper.make_graph([self.node], "node", inputs, outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self._version)], ir_version=8)
        return onnxruntime.InferenceSession(model.SerializeToString(), _OPTIONS)

    def run(self, context):
        """Puts the node's outputs into `context`."""
        if self._session is None:
            operator = registry.getCustomOp(self.node, onnx_opset_version=self._version)
            if "channels_last" in self.node.domain:
                # Its axes are all that this operator reads of the tensor that it makes.
                context[self.node.output[0]] = np.zeros_like(context[self.node.input[0]])
            operator.execute_node(context, None)
            for name in self.node.output:
                context[name] = np.asarray(context[name])
            return
        names = list(filter(None, self.node.output))
        feed = {name: context[name] for name in filter(None, self.node.input)}
        context.update(zip(names, self._session.run(names, feed), strict=True))
