"""Codes in order become words of bit planes."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig


def turned(values: list[Value], by: Value) -> list[Value]:
    """`values`, a power of two of them, rotated by `by` places towards higher indices."""
    for bit in range(len(by)):
        values = [Mux(by[bit], values[at - (1 << bit)], value) for at, value in enumerate(values)]
    return values


def image_waits(config: EngineConfig) -> int:
    """Cycles for which an image's codes wait after each word while its groups are written one after another:
    none where the next word takes longer than that to come."""
    groups = config.plane_groups
    return groups - 1 if config.fetch_bits // config.port_bytes < groups else 0


class PlanePacker(wiring.Component):
    """Appends up to `port_bytes` codes of an image, or up to `total_quant` codes of a layer, per cycle to
    a dense map and writes it word by word.

    The codes of an image have `a_bits` planes; with more than one of `plane_groups`, those of a group are
    written at a time, groups as many words apart as the image has. Codes of layers have one group. What
    lies beyond a map's last code in its last word is undefined, as are planes beyond a layer's codes.

    Ports: `start` begins a map, at word 0 that of an image (with `image`), at `address` that of a
    layer, and drops the one before. Of an image: `image_valid` with `image_codes` (one byte after another),
    `image_count` (how many, or none) and `image_last` appends where `ready`. Of a layer: `valid`,
    `codes`, `count` (at least one), `last`, always taken. `image_bytes`: codes of a whole image. The last
    codes, even none, write the partial word too, if there is one. With `row_steps`, behind every
    `row_words` + 1 words of a layer `row_step` more are left out; both stay from `start` on. `w_en`,
    `w_address`, `w_data` go to the feature memory; `done` pulses with the write that ends the map, or in its
    place.

    Latency from a layer's last codes to `done`: :meth:`latency`. An image's codes take one cycle more.
    """

    @staticmethod
    def latency(config: EngineConfig) -> int:
        """Cycles from a layer's last codes to `done`, whatever they fill."""
        return 2 if config.plane_groups == 1 else 3

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        address = (config.feature_depth - 1).bit_length()
        super().__init__(
            {
                "start": In(1),
                "image": In(1),
                "address": In(address),
                **({"row_words": In(address), "row_step": In(address)} if config.row_steps else {}),
                "image_bytes": In(config.image_bytes_bits),
                "image_valid": In(1),
                "ready": Out(1),
                "image_codes": In(config.port_bytes * config.a_bits),
                "image_count": In(config.port_bytes.bit_length()),
                "image_last": In(1),
                "valid": In(1),
                "codes": In(config.total_quant * config.stored_bits),
                "count": In(config.total_quant.bit_length()),
                "last": In(1),
                "w_en": Out(1),
                "w_address": Out(address),
                "w_data": Out(config.fetch_planes * config.fetch_bits),
                "done": Out(1),
            }
        )
        widest = max(config.total_quant, config.port_bytes)
        self._lanes = 1 << (widest - 1).bit_length()
        # Where a word is no longer than the codes of a cycle, each lane has a place in two words.
        self._places = max(2, config.fetch_bits // self._lanes)
        self._two_words = self._lanes == config.fetch_bits

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, groups = self._lanes, self._config.plane_groups
        image = Signal()
        # Whether a word was filled in the cycle before; zero where it is the turn of a group but the first.
        filled, rests = Signal(), Signal(groups - 1, init=-1)
        blocked = image & (filled | ~rests[:-1].all()) if image_waits(self._config) else Const(0)
        offered, count, last, codes = self._offered(m, image, blocked)

        # Codes go to the lanes in turn, from `first` on, and in each lane to one place after another.
        first = Signal(range(lanes))
        taken = turned(offered, first)
        places = [Signal(self._places, init=1, name=f"place_{lane}") for lane in range(lanes)]
        with m.If(offered[0]):
            m.d.sync += first.eq(first + count)
        for lane, place in enumerate(places):
            with m.If(taken[lane]):
                m.d.sync += place.eq(place.rotate_left(1))
        words = self._collected(m, codes, first, places, filled)
        begins, fills = first.any(), taken[-1]
        if not self._two_words:
            begins |= ~places[0][0]
            fills &= places[-1][-1]
        # The codes of the last cycle are all in their places, and the word has begun, two cycles later.
        ending, flushing, begun, flush, take = Signal(), Signal(), Signal(), Signal(), Signal()
        skipped = self._skipped(m, image, take) if self._config.row_steps else 0
        # No group is written but the first.
        idle = Signal(init=1)
        m.d.comb += [flush.eq(flushing & idle), take.eq(filled | (flush & begun))]
        m.d.sync += [
            filled.eq(fills),
            ending.eq(last),
            flushing.eq(ending | (flushing & ~flush)),
            begun.eq(begins),
        ]
        if groups == 1:
            m.d.comb += [self.w_en.eq(take), self.w_data.eq(words[0]), self.done.eq(flush)]
            with m.If(self.w_en):
                m.d.sync += self.w_address.eq(self.w_address + (1 + skipped))
        else:
            # The groups of the rest of an image are being written.
            finishing, grouped = Signal(), Signal()
            m.d.comb += grouped.eq(flush & begun & image)
            m.d.sync += [
                rests.eq(Cat(~(take & image), rests)),
                idle.eq(~(take & image) & rests[:-1].all()),
                finishing.eq(grouped | (finishing & rests[-1])),
                self.done.eq((flush & ~grouped) | (finishing & ~rests[-1])),
            ]
            self._write_groups(m, words, image, take, rests, idle, skipped)
            with m.If(self.start):
                m.d.sync += [rests.eq(-1), idle.eq(1), finishing.eq(0), self.done.eq(0)]
        with m.If(self.start):
            m.d.sync += [
                image.eq(self.image),
                self.w_address.eq(Mux(self.image, 0, self.address)),
                first.eq(0),
                filled.eq(0),
                ending.eq(0),
                flushing.eq(0),
                *(place.eq(1) for place in places),
            ]
        return m

    def _skipped(self, m: Module, image: Signal, take: Signal) -> Value:
        """Words to leave out behind the word that is taken, where it is a row's last one."""
        left = Signal.like(self.row_words)
        ends = left == 0
        with m.If(take):
            m.d.sync += left.eq(Mux(ends, self.row_words, left - 1))
        with m.If(self.start):
            m.d.sync += left.eq(self.row_words)
        return Mux(ends & ~image, self.row_step, 0)

    def _offered(
        self, m: Module, image: Signal, blocked: Value
    ) -> tuple[list[Value], Value, Value, list[list[Value]]]:
        """(which of the lanes have codes, from the first on, how many, whether they are the last, codes per
        plane and lane) of the image, out of a register, or of a layer."""
        config, lanes = self._config, self._lanes
        bits, stored, port = config.a_bits, config.stored_bits, config.port_bytes
        kept, kept_count = Signal.like(self.image_codes), Signal.like(self.image_count)
        kept_taken, kept_last = Signal(port), Signal()
        m.d.comb += self.ready.eq(~blocked | ~(kept_taken.any() | kept_last))
        with m.If(self.ready):
            m.d.sync += [
                kept.eq(self.image_codes),
                kept_count.eq(self.image_count),
                kept_taken.eq(Cat(self.image_valid & (self.image_count > byte) for byte in range(port))),
                kept_last.eq(self.image_valid & self.image_last),
            ]
        with m.If(self.start):
            m.d.sync += [kept_taken.eq(0), kept_last.eq(0)]

        def offered(lane: int) -> Value:
            byte = kept_taken[lane] & ~blocked if lane < port else Const(0)
            return byte | (self.valid & (self.count > lane)) if lane < config.total_quant else byte

        def code(plane: int, lane: int) -> Value:
            stores = plane < stored and lane < config.total_quant
            # Lanes without a byte have no code of the image; to show that of another lane takes less logic.
            byte = lane if stores else lane % (1 << (port - 1).bit_length())
            shown = kept[byte * bits + plane] if byte < port else None
            own = self.codes[lane * stored + plane] if stores else None
            if own is None or shown is None:
                return Const(0) if own is shown else shown if own is None else own
            return Mux(image, shown, own)

        return (
            [offered(lane) for lane in range(lanes)],
            Mux(image, kept_count, self.count),
            (kept_last & ~blocked) | (self.valid & self.last),
            [[code(plane, lane) for lane in range(lanes)] for plane in range(bits)],
        )

    def _collected(
        self, m: Module, codes: list[list[Value]], first: Signal, places: list[Signal], filled: Signal
    ) -> list[Value]:
        """The word that was filled or begun last, per group.

        A place takes whatever comes until a code was for it, so that no bit needs a choice: the lane's
        register of places is its enable. The first place takes codes of the next word before the last lane
        has filled the word, so it is copied when it has its own code.
        """
        config = self._config
        planes = config.fetch_planes
        turned_planes = [turned(lanes, first) for lanes in codes]
        held = []
        for lane, place in enumerate(places):
            code = Cat(plane[lane] for plane in turned_planes)
            own = [
                Signal(config.a_bits, name=f"code_{number}_{lane}", reset_less=True)
                for number in range(len(place))
            ]
            for number, into in enumerate(own):
                with m.If(place[number]):
                    m.d.sync += into.eq(code)
            if not self._two_words:
                copy = Signal(config.a_bits, name=f"copy_{lane}", reset_less=True)
                with m.If(place[1]):
                    m.d.sync += copy.eq(own[0])
                own[0] = copy
            held.append(own)
        if self._two_words:
            odd = Signal()
            m.d.sync += odd.eq(odd ^ filled)
            with m.If(self.start):
                m.d.sync += odd.eq(0)
            held = [[Mux(odd, own[1], own[0])] for own in held]
        # By place, then by lane.
        held = [code for number in zip(*held, strict=True) for code in number]
        return [
            Cat(
                code[plane] if plane < config.a_bits else Const(0)
                for plane in range(group * planes, (group + 1) * planes)
                for code in held
            )
            for group in range(config.plane_groups)
        ]

    def _write_groups(
        self,
        m: Module,
        words: list[Value],
        image: Signal,
        take: Signal,
        rests: Signal,
        idle: Signal,
        skipped: Value | int,
    ) -> None:
        """Writes the groups' words one after another, of a layer the first."""
        turns = []
        for group, word in enumerate(words):
            if group:
                kept = Signal.like(self.w_data, name=f"kept_{group}", reset_less=True)
                with m.If(take):
                    m.d.sync += kept.eq(word)
                word = kept
            # All words but one are zero: joining them takes less than a choice.
            turn = Signal.like(self.w_data, name=f"turn_{group}", reset_less=True)
            m.d.sync += turn.eq(Mux(rests[group - 1] if group else ~take, 0, word))
            turns.append(turn)
        # From a group's word to the next group's, whose words lie behind those of a whole image, or from the
        # word of the first group to the word behind it: one adder for both.
        shift = (self._config.fetch_bits - 1).bit_length()
        whole, first = Signal.like(self.w_address), Signal.like(self.w_address)
        carry, begins, returns = Signal(), Signal(), Signal()
        more = image & (take | ~rests[:-1].all())
        m.d.sync += [
            self.w_en.eq(take | ~idle),
            begins.eq(take),
            returns.eq(~rests[-1]),
            whole.eq(Mux(more, self.image_bytes[shift:], skipped)),
            carry.eq(~more | self.image_bytes[:shift].any()),
        ]
        with m.If(begins):
            m.d.sync += first.eq(self.w_address)
        with m.If(self.w_en):
            before = Mux(returns, first, self.w_address)
            m.d.sync += self.w_address.eq((Cat(1, before) + Cat(carry, whole)) >> 1)
        with m.If(self.start):
            m.d.sync += self.w_en.eq(0)
        m.d.comb += self.w_data.eq(reduce(or_, turns))
