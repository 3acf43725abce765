"""A job of a training step as the layer that the rest of the compiler knows."""

import numpy as np

from dorefa.golden.backward.job import Job
from dorefa.golden.lowering.integer_network import IntegerLayer
from dorefa.golden.network.encoding import Encoding


def layer_of(job: Job) -> IntegerLayer:
    """The one layer of a network whose accumulators leave the engine. Its codes are zeros: operands change,
    the rest of a job does not."""
    height, width, channels = job.out_shape
    reduction = job.area * (job.in_shape[2] // job.groups)
    most = reduction * ((1 << job.w_bits) - 1) * ((1 << job.a_bits) - 1)
    # Zeros that take no memory.
    codes = np.broadcast_to(np.uint8(0), (channels, *job.weights_shape[1:]))
    return IntegerLayer(
        name=job.name,
        kind="conv",
        codes=codes,
        w_bits=job.w_bits,
        encoding=Encoding.BIPOLAR,
        **job.spacing,
        pool=None,
        in_shape=job.in_shape,
        conv_shape=(height, width, channels),
        out_shape=(height, width, channels),
        source=-1,
        a_bits=job.a_bits,
        levels=(1 << job.a_bits) - 1,
        rescale=None,
        add=None,
        trunk=False,
        code_bits=None,
        out_bits=None,
        acc_min=-most,
        acc_max=most,
        value_min=-most,
        value_max=most,
        thresholds=None,
        inverted=np.zeros(channels, bool),
        slope=None,
        offset=None,
        logit_scale=None,
        logit_bias=None,
    )
