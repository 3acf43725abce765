"""The generated hardware: configuration, engine, and the compiler from a lowered network to it."""

from .compiler import CompiledNetwork, compile_network
from .config.engine import PRESETS, EngineConfig, preset
from .cycles import predict
from .engine.engine import Engine
from .problems import find_problems
from .sizing import fit

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
