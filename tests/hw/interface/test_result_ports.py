"""What a beat of results carries."""

import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.config.ranges import CHOICES
from dorefa.hw.interface.result_ports import RESULT_PORTS, result_port


def test_every_choice_has_its_port():
    assert {name: port.name for name, port in RESULT_PORTS.items()} == {
        name: name for name in CHOICES["results"]
    }


@pytest.mark.parametrize("acc_bits, width", [(32, 32), (33, 64)])
def test_layouts(acc_bits, width):
    config = EngineConfig(acc_bits=acc_bits, quant=3, engines=2, rows=6)
    single, wide = (result_port(config.replace(results=name)) for name in ("single", "wide"))
    assert (single.sums(config), single.data_bits(config)) == (1, width)
    assert {name: field.width for name, field in single.layout(config)} == {
        "data": width,
        "last": 1,
        "error": 1,
    }
    assert (wide.sums(config), wide.data_bits(config)) == (6, 6 * width)
    assert {name: field.width for name, field in wide.layout(config)} == {
        "data": 6 * width,
        "keep": 6 * width // 8,
        "last": 1,
        "error": 1,
    }


def test_cycles_on_the_way_out():
    """Two around every group where its sums leave one by one, otherwise one a group."""
    assert [RESULT_PORTS[name].drain(3, 10) for name in ("single", "wide")] == [16, 3]
