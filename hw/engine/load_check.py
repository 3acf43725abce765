"""The checksum of what the host loads, computed as it is written."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..interface.load_check import crc_columns


class LoadCheck(wiring.Component):
    """CRC-32 of the words that are written to memories (:mod:`dorefa.hw.interface.load_check`).

    Ports: `valid`, a word of a load is written; `word`, that word XOR its address, or with `check` the CRC
    that the load must have; `start`, a load begins; `crc`, of the load so far; `loaded`, it was checked and
    found right, and nothing was written since (`preloaded`: from the start); `wrong` pulses where it was not.
    At most one of `valid`, `start` and `check` is high.

    Latency: one cycle from a word to `crc` and from `check` to `loaded`, none to `wrong`.
    """

    def __init__(self, *, preloaded: bool) -> None:
        super().__init__(
            {
                "valid": In(1),
                "word": In(32),
                "start": In(1),
                "check": In(1),
                "crc": Out(32),
                "loaded": Out(1, init=preloaded),
                "wrong": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        register = Signal(32, init=0xFFFFFFFF)
        mixed, right = Signal(32), Signal()
        m.d.comb += [
            mixed.eq(register ^ self.word),
            self.crc.eq(~register),
            right.eq(self.word == self.crc),
            self.wrong.eq(self.check & ~right),
        ]
        with m.If(self.valid):
            m.d.sync += register.eq(Cat(_product(mixed)))
        with m.If(self.start | self.check):
            m.d.sync += register.eq(register.init)
        with m.If(self.check):
            m.d.sync += self.loaded.eq(right)
        with m.Elif(self.valid | self.start):
            m.d.sync += self.loaded.eq(0)
        return m


def _product(word: Value) -> list[Value]:
    """The bits of the CRC's register after a word, of the register before XOR the word."""
    terms = [word[bit] for bit in range(32)]
    rows = [{bit for bit, column in enumerate(crc_columns()) if column >> row & 1} for row in range(32)]
    # Synthesis does not look for sums that rows share: the pair that most of them have is made once.
    while True:
        pairs = Counter(pair for row in rows for pair in combinations(sorted(row), 2))
        pair = max(sorted(pairs), key=pairs.__getitem__)
        if pairs[pair] == 1:
            return [Cat(terms[term] for term in sorted(row)).xor() for row in rows]
        for row in rows:
            if row.issuperset(pair):
                row.difference_update(pair)
                row.add(len(terms))
        terms.append(terms[pair[0]] ^ terms[pair[1]])
