"""The windows under the output pixels that compute, double buffered."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface.readers import reader_of
from ...lib.delay import delayed


def patch_depth(words: int, plane_groups: int) -> int:
    """Words of the patch buffer that a patch of `words` words per plane takes in so many groups."""
    if plane_groups == 1:
        return words
    return 1 << ((words - 1).bit_length() + (plane_groups - 1).bit_length())


class PatchBuffer(wiring.Component):
    """`patch_slots` slots of one patch per column; a patch is ceil(K / lanes) words of `lanes` bits
    per plane.

    Written in pieces of `fetch_bits` bits of every plane of a group (port `w`), read one word of one plane
    for all columns at a time: `a` holds word `word` of plane `plane` of slot `slot`, column p at bits
    ``[p * lanes, (p + 1) * lanes)``, :attr:`latency` cycles later.

    Plane group g has the words from ``g << (word_bits - group_bits)`` on, so that an address takes no
    adder; :func:`patch_depth` is the depth for that. Planes that only an image uses lie in memories of their
    own, of `image_patch_depth` words.

    Latency: three cycles, :attr:`latency`.
    """

    latency = 3

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "w": In(self.write_signature(config)),
                "slot": In(range(config.patch_slots)),
                "word": In(range(max(2, config.patch_depth))),
                "plane": In(range(max(2, config.a_bits))),
                "a": Out(config.cols * config.lanes),
            }
        )

    @staticmethod
    def write_signature(config: EngineConfig) -> wiring.Signature:
        """Port that writes the piece set in `pieces` (`data`: all planes of group `group`, lowest first) of
        word `word` of `slot`'s patch for `column`; a narrower last piece has the uppermost bits of each
        plane's data. Where columns share reads, there is no `column`: each has its own `pieces` (of which
        several may be set), `word` and `data`."""
        piece = {
            "pieces": Out(config.subwords),
            "word": Out(range(max(2, config.patch_depth))),
            "data": Out(config.fetch_planes * config.fetch_bits),
        }
        return wiring.Signature(
            {
                "slot": Out(range(config.patch_slots)),
                "group": Out(range(max(2, config.plane_groups))),
                **reader_of(config).write_ports(config, piece),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, reader = self._config, reader_of(self._config)
        fetch = config.fetch_bits
        # Plane of its group, when the memories' answers are there.
        plane, asked = (Signal(range(max(2, config.fetch_planes)), name=name) for name in ("plane", "asked"))
        m.d.sync += plane.eq(asked)
        group = Signal(range(max(2, config.plane_groups)))
        with m.Switch(self.plane):
            for number in range(config.a_bits):
                with m.Case(number):
                    m.d.comb += group.eq(number // config.fetch_planes)
                    m.d.sync += asked.eq(number % config.fetch_planes)
        classes = [("", 0, config.out_bits, config.patch_depth)]
        if config.image_planes:
            classes.append(("image_", config.out_bits, config.image_planes, config.image_patch_depth))
        group_bits = (config.plane_groups - 1).bit_length()

        def address(word: Value, group: Value, slot: Value, word_bits: int) -> Value:
            return Cat((word | (group << (word_bits - group_bits)))[:word_bits], slot)

        for column in range(config.cols):
            pieces = []
            for subword in range(config.subwords):
                width = min(fetch, config.lanes - subword * fetch)
                written, to_word, to_data = reader.written(self.w, column, subword)
                planes = []
                for prefix, lowest, count, depth in classes:
                    word_bits = max((depth - 1).bit_length(), group_bits)
                    memory = Memory(shape=count * width, depth=config.patch_slots << word_bits, init=[])
                    m.submodules[f"{prefix}column{column}_piece{subword}"] = memory
                    write, read = memory.write_port(), memory.read_port()
                    data = [
                        to_data[p * fetch - width : p * fetch] for p in range(lowest + 1, lowest + count + 1)
                    ]
                    m.d.comb += [
                        write.addr.eq(address(to_word, self.w.group, self.w.slot, word_bits)),
                        write.data.eq(Cat(data)),
                        write.en.eq(written & (to_word >> word_bits == 0)),
                        read.addr.eq(address(self.word, group, self.slot, word_bits)),
                        read.en.eq(1),
                    ]
                    # A block RAM is slow to answer: nothing but a register is behind it.
                    answer = delayed(
                        m, read.data, 1, f"{prefix}column{column}_answer{subword}", reset_less=True
                    )
                    planes += [answer[p * width : (p + 1) * width] for p in range(count)]
                pieces.append(Array(planes)[plane] if len(planes) > 1 else planes[0])
            lanes = slice(column * config.lanes, (column + 1) * config.lanes)
            m.d.comb += self.a[lanes].eq(delayed(m, Cat(pieces), 1, f"word{column}", reset_less=True))
        return m
