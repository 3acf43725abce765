"""Window readers sized for networks and for none: the least that is fast enough, shared reads."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.random.network import random_network
from dorefa.golden.zoo import catalog
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.cycles import predict
from dorefa.hw.compiler.schedule import schedule
from dorefa.hw.compiler.sizing import fit, general
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.config.ranges import CHOICES, RANGES

from ..support import draw_layer, network


def test_least_fetch_costs_at_most_two_percent(rng):
    for _ in range(6):
        integer = lower(
            random_network(int(rng.integers(1 << 31)), max_macs=20_000, max_size=6, max_channels=17)
        )
        config = fit(integer, lanes=64, rows=8, plane_groups=1)

        def cycles(fetch, config=config, integer=integer):
            draft = config.replace(fetch_bits=fetch, feature_depth=4096, out_bits=1, a_bits=8)
            return sum(part.cycles for part in predict(integer, schedule(integer, draft), draft))

        assert config.fetch_bits <= 64
        # The prediction knows the descriptor's length only for the final depths.
        assert cycles(config.fetch_bits) <= 1.03 * cycles(64)


def test_a_reader_that_binds_a_layer_costs_one_percent():
    """Of networks of the paper: a smaller one for which no layer waits, and a larger one where one would."""
    made = {
        name: fit(lower(catalog.outline(name, net_w=1, net_a=2)), lanes=lanes, rows=rows)
        for name, lanes, rows in (("digits", 32, 16), ("svhn-a", 64, 64))
    }
    assert {name: config.fetch_bits for name, config in made.items()} == {"digits": 8, "svhn-a": 64}


def test_engines_for_no_network(rng):
    """The smallest reader that keeps up, sums of images and of long patches; what is given stays."""
    made = general(a_bits=8, lanes=64, rows=32)
    assert (made.quant, made.fetch_bits, made.plane_groups, made.acc_bits) == (2, 16, 4, 17)
    usual = EngineConfig()
    for depth, word in (("feature_depth", "fetch_bits"), ("param_depth", "quant"), ("line_depth", "quant")):
        for name in (depth, word):
            assert getattr(made, name) != getattr(usual, name)
        bits, as_many = (getattr(config, depth) * getattr(config, word) for config in (made, usual))
        assert bits == as_many
    assert general(**usual.as_dict()) == usual
    assert general(a_bits=2).acc_bits == (4608 * 3).bit_length() + 1
    # 147 inputs are three words of 64.
    assert general(w_bits=8, a_bits=8).acc_bits == (192 * 255 * 255).bit_length() + 1
    # What three engines write would be 48 bits, of fetches of at most 32.
    assert general(lanes=55, rows=64, cols=4, engines=3).quant == 8
    for number in range(200):
        given = {
            name: int(rng.integers(RANGES[name][0], min(RANGES[name][1], 100) + 1))
            for name in ("lanes", "rows", "cols", "engines", "w_bits", "a_bits")
            if rng.integers(2)
        }
        made = general(**given)
        assert given.items() <= made.as_dict().items(), number


def test_images_wider_than_patch_words(rng):
    message = (
        "port_bytes is 45 with lanes 8; accepted: at most 8, because a word of the feature memory is at "
        "least as wide and at most a patch word"
    )
    with pytest.raises(InputError) as caught:
        general(lanes=8, port_bytes=45)
    assert str(caught.value) == message
    with pytest.raises(InputError) as caught:
        fit(overlapping(rng), lanes=8, port_bytes=45)
    assert str(caught.value) == message
    with pytest.raises(InputError, match="^engines x quant is 16 with lanes 8; accepted: at most 8, because"):
        general(lanes=8, rows=16, quant=16)
    with pytest.raises(InputError, match="^unknown engine parameter 'lane'; accepted: lanes, rows"):
        general(lane=8)


@pytest.mark.parametrize("name", [*RANGES, *CHOICES])
def test_what_no_engine_has_is_refused_by_name(name):
    for value in ("foo", -1, True, None):
        with pytest.raises(InputError, match=f"^{name} is "):
            general(**{name: value})


def overlapping(rng):
    """A network of 3x3 windows on a map of 16 channels."""
    body = draw_layer(rng, "conv", (16, 3, 3, 16), a_bits=1, padding=(1, 1, 1, 1))
    last = draw_layer(rng, "fc", (2, 1, 1, 16 * 8 * 8), a_bits=None, kind="fc")
    return lower(network((8, 8, 16), 1, body, last))


def test_columns_share_reads_where_that_is_worth_it(rng):
    """Of four columns a reader would take twelve runs where they share three."""
    integer = overlapping(rng)
    sizes = {"lanes": 64, "rows": 16, "quant": 8}
    config = fit(integer, cols=4, **sizes)
    assert config.column_reads == "shared" and 64 % config.fetch_bits == 0
    apart = fit(integer, cols=4, column_reads="separate", **sizes)
    took, takes = (
        sum(part.cycles for part in predict(integer, schedule(integer, made), made))
        for made in (apart, config)
    )
    assert takes < took
    # One row works so long on a patch that no wider reader is worth its size.
    narrow = fit(integer, cols=4, lanes=64, rows=1, quant=1)
    assert (narrow.column_reads, narrow.fetch_bits) == ("shared", 8)
    # Nothing to share, and lanes that no fetch divides.
    assert fit(integer, cols=1, **sizes).column_reads == "separate"
    assert fit(integer, cols=4, **sizes | {"lanes": 60}).column_reads == "separate"
    # A reader that shares nothing in this layer is no better than the other.
    single = draw_layer(rng, "fc", (2, 1, 1, 64), a_bits=None, kind="fc")
    assert fit(lower(network((8, 8, 1), 1, single)), cols=4, lanes=64).column_reads == "separate"


def test_sets_longer_than_the_map(rng):
    """The next set's first pixel is as far as sixteen pixels of one line would be; the map has four."""
    body = draw_layer(rng, "conv", (1, 1, 3, 6), a_bits=1, padding=(0, 1, 0, 1))
    last = draw_layer(rng, "fc", (2, 1, 1, 4), a_bits=None, kind="fc")
    integer = lower(network((1, 4, 6), 1, body, last))
    config = fit(integer, lanes=8, rows=1, fetch_bits=8, cols=16, column_reads="shared")
    assert compile_network(integer, config).schedule.passes[0].geometry.shared_reads.slices.spacing == 6
    with pytest.raises(InputError, match="feature_depth of at least"):
        compile_network(integer, config.replace(feature_depth=config.feature_depth - 1))


def test_fetches_of_shared_reads_divide_the_lanes(rng):
    integer = overlapping(rng)
    config = fit(integer, cols=2, lanes=48, quant=4, column_reads="shared")
    assert config.column_reads == "shared" and config.fetch_bits in (8, 16)
    with pytest.raises(InputError) as caught:
        fit(integer, cols=2, lanes=60, quant=4, column_reads="shared")
    assert str(caught.value) == (
        "lanes is 60 with column_reads 'shared'; accepted: a multiple of fetch_bits, which is a power of "
        "two, here at least 8"
    )
    with pytest.raises(InputError, match="^fetch_bits is 32 with column_reads 'shared'; accepted: a power"):
        fit(integer, cols=2, lanes=48, quant=4, column_reads="shared", fetch_bits=32)
