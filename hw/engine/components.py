"""The component for each option of the engine; :mod:`dorefa.hw.interface` has all else about the options."""

from __future__ import annotations

from amaranth.lib import wiring

from ..config.engine import EngineConfig
from ..interface.result_ports import result_port
from .output.affine_quantizer import AffineQuantizer
from .output.results import Results
from .output.threshold_quantizer import ThresholdQuantizer
from .output.wide_results import WideResults
from .reader.shared_reader import SharedReader
from .reader.window_reader import WindowReader

_READERS = {"separate": WindowReader, "shared": SharedReader}
_QUANTIZERS = {"thresholds": ThresholdQuantizer, "affine": AffineQuantizer}


def make_reader(config: EngineConfig) -> wiring.Component:
    """The window reader of an engine of `config`."""
    return _READERS[config.column_reads](config)


def make_quantizer(config: EngineConfig, *, init: list[list[int]] | None = None) -> wiring.Component:
    """The quantizer of an engine of `config`; `init`: contents of its parameter memories."""
    return _QUANTIZERS[config.quantizer](config, init=init)


def make_results(config: EngineConfig, *, ahead: int) -> wiring.Component:
    """What sends the results of an engine of `config`; `ahead`: cycles from a tile's end to its first
    group."""
    return WideResults(config, ahead=ahead) if result_port(config).whole_groups else Results(config)
