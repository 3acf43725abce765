"""dorefa.hw.compiler.training.job_layer: a job as a layer of the compiler."""

from dorefa.golden.network.encoding import Encoding
from dorefa.hw.compiler.training.job_layer import layer_of

from .support import job_of, shared_job


def test_layer_of_a_job():
    job = job_of(stride=2, padding=(1, 0, 2, 3), dilation=(1, 2), groups=2)
    layer = layer_of(job)
    assert layer.name == "conv input 0" and layer.encoding is Encoding.BIPOLAR
    assert layer.codes.shape == job.weights_shape and not layer.codes.any()
    assert layer.in_shape == job.in_shape and layer.conv_shape == layer.out_shape == job.out_shape
    assert (layer.w_bits, layer.a_bits, layer.code_bits, layer.out_bits) == (3, 2, None, None)
    assert layer.spacing == job.spacing
    # 3 x 2 x 3 products of at most 7 x 3.
    assert (layer.acc_min, layer.acc_max) == (-378, 378)


def test_every_group_of_shared_weights_is_there():
    assert layer_of(shared_job()).codes.shape == (42, 3, 2, 1)
