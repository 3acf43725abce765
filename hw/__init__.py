"""The generated hardware: configuration, engine, and the compiler from a lowered network to it."""

from .compiler.compile import CompiledNetwork, compile_network
from .compiler.cycles import predict
from .compiler.problems import find_problems
from .compiler.sizing import fit
from .config.engine import PRESETS, EngineConfig, preset
from .engine.engine import Engine

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
