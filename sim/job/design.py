"""Where things lie in the exported Verilog: instances, memories, and how a network maps to them."""

from __future__ import annotations

from dataclasses import dataclass

from dorefa.hw.compiler.compile import CompiledNetwork
from dorefa.hw.interface.quantizers import quantizer_of
from dorefa.hw.verilog.model import instances
from dorefa.hw.verilog.verilog_text import parse

CORE = "core"  # instance of the engine in the exported top
LAYER_DONE = "status__layer_done"
FIRST_READ = "status__first_read"


@dataclass(frozen=True)
class MemoryArray:
    """A memory of the Verilog: its `module`, `name`, word `width` in bits and `depth` in words;
    `path` is the instance path below the top, for example ``core.feature``."""

    path: str
    module: str
    name: str
    width: int
    depth: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one word."""
        return -(-self.width // 8)


def find_memories(verilog: str, top: str) -> dict[str, MemoryArray]:
    """Every memory of the design below module `top`, by ``instance.path.name``."""
    return {
        ".".join((*path, memory.name[1:])): MemoryArray(
            ".".join(path), module.name, memory.name[1:], memory.width, memory.depth
        )
        for path, module in instances(parse(verilog), top)
        for memory in module.memories
    }


def memory_images(compiled: CompiledNetwork) -> dict[str, list[int]]:
    """Words of every memory that `compiled` (CompiledNetwork) fills, by ``instance.path.name``."""
    config, memories = compiled.config, compiled.memories
    images = {f"{CORE}.sequencer.program": memories["program"]}
    for row, words in enumerate(memories["weights"]):
        engine, own = divmod(row, config.rows)
        images[f"{CORE}.slice{engine}.weights.row{own}"] = words
    each = len(memories["params"]) // config.engines
    for number, words in enumerate(memories["params"]):
        engine, own = divmod(number, each)
        images[f"{CORE}.slice{engine}.quantizer.{quantizer_of(config).memory_name(own, config)}"] = words
    for lane, words in enumerate(memories.get("rescale", ())):
        engine, own = divmod(lane, config.quant)
        images[f"{CORE}.slice{engine}.residual.lane{own}"] = words
    return {name: words for name, words in images.items() if len(words)}
