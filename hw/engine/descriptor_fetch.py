"""The descriptor of the next pass, word by word from the program memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import ReadPort

from ..config.engine import EngineConfig
from ..interface import program
from ..lib.delay import delayed


@dataclass(frozen=True)
class Fetch:
    """The program's next `address`; `begin` and `active`: a descriptor is fetched; `complete`: all of it is
    there, until `swap`. `clear`: the statements that forget it."""

    address: Signal
    begin: Signal
    active: Signal
    complete: Signal
    swap: Signal
    clear: list[Any]


def fetch_descriptors(
    m: Module, config: EngineConfig, read: ReadPort, layer: data.View, table: wiring.Interface
) -> Fetch:
    """Reads the words of a descriptor, one a cycle, through the port `read` of the program memory; `layer`
    and `table` are what is made of them (:class:`.sequencer.Sequencer`)."""
    words = program.words_per_layer(config)
    address, number = Signal.like(read.addr), Signal(range(words))
    fetching, asks, answers, complete = Signal(), Signal(), Signal(), Signal()
    fetch, swap = Signal(), Signal()
    m.d.comb += read.addr.eq(address)
    m.d.sync += answers.eq(asks)
    with m.If(fetch):
        m.d.sync += [fetching.eq(1), asks.eq(1), number.eq(0)]
    with m.Elif(asks):
        m.d.sync += [address.eq(address + 1), number.eq(number + 1), asks.eq(number != words - 1)]
    with m.If(answers & ~asks):
        m.d.sync += complete.eq(1)
    _descriptor(m, config, read.data, number, answers, swap, layer, table)
    with m.If(swap):
        m.d.sync += [fetching.eq(0), complete.eq(0)]
    return Fetch(
        address=address,
        begin=fetch,
        active=fetching,
        complete=complete,
        swap=swap,
        clear=[fetching.eq(0), asks.eq(0), answers.eq(0), complete.eq(0)],
    )


def _descriptor(
    m: Module,
    config: EngineConfig,
    word: Value,
    number: Signal,
    answers: Signal,
    swap: Signal,
    output: data.View,
    table: wiring.Interface,
) -> None:
    """Collects the words of a descriptor in a shift register, which those of the table have left in the
    end; `number` is that of the word that is asked for while `word` is the one before."""
    first = program.table_words(config)
    words = [
        Signal(program.WORD_BITS, name=f"word_{word}")
        for word in range(first, program.words_per_layer(config))
    ]
    layer = Signal.like(output)
    m.d.comb += [
        layer[name].eq(words[word - first][bit:])
        for name, (word, bit) in program.placement(config).items()
        if word >= first
    ]
    with m.If(answers):
        m.d.sync += [kept.eq(behind) for kept, behind in zip(words, [*words[1:], word], strict=True)]
    # The table takes them from the register's first place.
    half = Signal()
    asked = delayed(m, number, 1, "asked")
    m.d.sync += table.en.eq(answers & (asked < first))
    m.d.comb += [
        table.data.eq(words[-1]),
        table.address.eq(Cat(delayed(m, asked[: (first - 1).bit_length()], 1, "place"), half)),
    ]
    if config.prefetch:
        with m.If(swap):
            m.d.sync += [output.eq(layer), half.eq(~half)]
    else:
        m.d.comb += output.eq(layer)
