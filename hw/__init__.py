"""The generated hardware: configuration, engine, and the compiler from a lowered network to it.

Names are loaded when they are asked for, so that a configuration needs no Amaranth.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .compiler.compile import CompiledNetwork, compile_network
    from .compiler.cycles import predict
    from .compiler.plan import find_problems
    from .compiler.sizing import fit
    from .config.engine import PRESETS, EngineConfig, preset
    from .engine.engine import Engine

_MODULES = {
    "PRESETS": "config.engine",
    "CompiledNetwork": "compiler.compile",
    "Engine": "engine.engine",
    "EngineConfig": "config.engine",
    "compile_network": "compiler.compile",
    "find_problems": "compiler.plan",
    "fit": "compiler.sizing",
    "predict": "compiler.cycles",
    "preset": "config.engine",
}

__all__ = [
    "PRESETS",
    "CompiledNetwork",
    "Engine",
    "EngineConfig",
    "compile_network",
    "find_problems",
    "fit",
    "predict",
    "preset",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
