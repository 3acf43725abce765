"""Images of fewer planes than the engine has: groups lie where the engine puts all of its own."""

import pytest

from dorefa.golden import lower, random_images, random_network
from dorefa.golden.errors import InputError
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.sim import simulate


def small(number, bits):
    """A network of few layers on images of so many bits."""
    sizes = {"conv_layers": 1, "max_macs": 20_000, "max_size": 8, "max_channels": 8}
    return lower(random_network(number, input_bits=bits, a_bits=2, **sizes))


@pytest.mark.parametrize(
    ("number", "bits", "groups"),
    [
        (1, 1, {"a_bits": 8, "plane_groups": 4}),  # what the engine writes of other groups passes the end
        (2, 3, {"a_bits": 8, "plane_groups": 4}),
        (6, 3, {"a_bits": 5, "plane_groups": 3}),  # two of three groups, each with half of a quarter's room
    ],
)
def test_images_of_fewer_groups_than_the_engine_has(number, bits, groups):
    network = small(number, bits)
    config = fit(network, lanes=8, rows=2, quant=1, fetch_bits=8, **groups)
    report = simulate(network, config=config, images=random_images(network, 2, 1), simulator="verilator")
    assert report.bit_exact, report.mismatches[:1]


def test_memories_without_that_room_are_refused():
    network = small(2, 3)
    config = fit(network, lanes=8, rows=2, quant=1, fetch_bits=8, a_bits=8, plane_groups=4)
    words = 4 * -(-7 * 7 * 2 // 8)
    assert config.feature_depth == words
    message = (
        f"layer conv0: feature memory: it needs {words} words per plane, the engine has feature_depth = "
    )
    with pytest.raises(InputError, match=message):
        compile_network(network, config.replace(feature_depth=words - 1))
    with pytest.raises(InputError, match="patch buffer: it needs 8 words .* patch_depth = 7, 1 too few"):
        compile_network(network, config.replace(patch_depth=7))
