"""The windows under the output pixels that compute, double buffered."""

from amaranth import Array, Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class PatchBuffer(wiring.Component):
    """`patch_slots` slots of one patch per column; a patch is ceil(K / lanes) words of `lanes` bits
    per plane.

    Written in pieces of `fetch_bits` bits of every plane (port `w`), read one word of one plane for
    all columns at a time: `a` holds word `word` of plane `plane` of slot `slot`, column p at bits
    ``[p * lanes, (p + 1) * lanes)``, :attr:`latency` cycles later.
    """

    latency = 2

    def __init__(self, config):
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
    def write_signature(config):
        """Port that writes one piece (`data`: all planes, lowest first) of a patch word."""
        return wiring.Signature(
            {
                "en": Out(1),
                "slot": Out(range(config.patch_slots)),
                "column": Out(range(max(2, config.cols))),
                "word": Out(range(max(2, config.patch_depth))),
                "subword": Out(range(max(2, config.subwords))),
                "data": Out(config.a_bits * config.fetch_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        fetch = config.fetch_bits
        plane = Signal.like(self.plane)
        if config.a_bits > 1:
            m.d.sync += plane.eq(self.plane)
        classes = [("", 0, config.out_bits, config.patch_depth)]
        if config.image_planes:
            classes.append(("image_", config.out_bits, config.image_planes, config.image_patch_depth))
        for column in range(config.cols):
            pieces = []
            for subword in range(config.subwords):
                width = min(fetch, config.lanes - subword * fetch)
                planes = []
                for prefix, lowest, count, depth in classes:
                    word_bits = (depth - 1).bit_length()
                    memory = Memory(shape=count * width, depth=config.patch_slots << word_bits, init=[])
                    m.submodules[f"{prefix}column{column}_piece{subword}"] = memory
                    write, read = memory.write_port(), memory.read_port()
                    data = [self.w.data[p * fetch : p * fetch + width]
                            for p in range(lowest, lowest + count)]  # fmt: skip
                    m.d.comb += [
                        write.addr.eq(Cat(self.w.word[:word_bits], self.w.slot)),
                        write.data.eq(Cat(data)),
                        write.en.eq(
                            self.w.en & (self.w.column == column) & (self.w.subword == subword)
                            & (self.w.word >> word_bits == 0)
                        ),
                        read.addr.eq(Cat(self.word[:word_bits], self.slot)),
                        read.en.eq(1),
                    ]  # fmt: skip
                    planes += [read.data[p * width : (p + 1) * width] for p in range(count)]
                pieces.append(Array(planes)[plane] if len(planes) > 1 else planes[0])
            lanes = slice(column * config.lanes, (column + 1) * config.lanes)
            m.d.sync += self.a[lanes].eq(Cat(pieces))
        return m
