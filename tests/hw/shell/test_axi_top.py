"""dorefa.hw.shell.axi: the ports of the top, and what each is connected with."""

import pytest
from amaranth.hdl import Fragment

from dorefa.hw.config.engine import preset
from dorefa.hw.interface.address_space import EngineSpace
from dorefa.hw.interface.registers import REGISTERS
from dorefa.hw.shell.axi import DECODE_ERROR, OKAY, SLAVE_ERROR, AxiTop

from ..support import simulate
from .bare_engine import BareEngine

TINY = preset("tiny")
TRUNKS = {"trunk_bits": 18, "trunk_depth": 16}
STREAMS = {
    "s_axis": "i",
    "m_axis": "o",
    "s_axis_weights": "weights",
    "s_axis_trunks": "trunks_i",
    "m_axis_trunks": "trunks_o",
}


def same_ports(top):
    """(from, to) of every signal of the streams that passes the top unchanged."""
    for name, own in STREAMS.items():
        stream = getattr(top.engine, own, None)
        if stream is None:
            continue
        parts = {"tdata": "data", "tlast": "last", "tkeep": "keep", "tid": "id", "tuser": "error"}
        fields = stream.payload.shape().members
        pairs = [
            (getattr(top, f"{name}_{port}"), stream.payload[field])
            for port, field in parts.items()
            if field in fields and f"{name}_{port}" in top.signature.members
        ]
        pairs.append((getattr(top, f"{name}_tvalid"), stream.valid))
        ready = (stream.ready, getattr(top, f"{name}_tready"))
        if name.startswith("m"):
            pairs, ready = [pair[::-1] for pair in pairs], ready[::-1]
        yield from [*pairs, ready]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"port_bytes": 4, "weights": "stream"},
        {"checks": "none", "weights": "stream", "trunks": "stream", **TRUNKS},
        {"trunks": "stream", **TRUNKS, "rows": 6, "quant": 3, "results": "wide"},
    ],
)
def test_streams_pass_in_the_same_cycle(changes, rng):
    """All fields of all of them, both ways; what a beat keeps where the port or the engine does not say."""
    top = AxiTop(BareEngine(TINY.replace(**changes)))
    pairs = list(same_ports(top))

    async def testbench(ctx):
        for _ in range(20):
            values = [int.from_bytes(rng.bytes(32), "little") % (1 << len(source)) for source, _ in pairs]
            for (source, _), value in zip(pairs, values, strict=True):
                ctx.set(source, value)
            assert [ctx.get(target) for _, target in pairs] == values
            if top.engine.config.port_bytes == 1:
                assert ctx.get(top.engine.i.payload.keep) == 1
            if top.engine.config.results != "wide":
                error = ctx.get(top.m_axis_tuser)
                assert ctx.get(top.m_axis_tkeep) == (0 if error else (1 << len(top.m_axis_tkeep)) - 1)
            await ctx.tick()

    assert len(pairs) >= 8
    simulate(top, testbench, limit=30)


def test_the_bus_and_the_interrupt(rng):
    """A word is written and read through the bridge; its answers say that the engine is locked, and what its
    space has not."""
    top = AxiTop(BareEngine(TINY), space=EngineSpace(TINY))
    host = top.engine.host
    layers = 4 * REGISTERS["layers"].address
    nowhere = 4 * ((1 << len(host.addr)) - 1)
    written = []

    async def watch(ctx):
        async for *_, enable, address, data in ctx.tick().sample(host.w_en, host.addr, host.w_data):
            if enable:
                written.append((4 * address, data))

    async def answer(ctx, channel, **ports):
        """What a transfer is answered with, after its taking."""
        for name, value in {"bready": 1, "rready": 1, **ports}.items():
            ctx.set(getattr(top, f"s_axil_{name}"), value)
        await ctx.tick()
        for name in ("awvalid", "wvalid", "arvalid"):
            ctx.set(getattr(top, f"s_axil_{name}"), 0)
        while not ctx.get(getattr(top, f"s_axil_{channel}valid")):
            await ctx.tick()
        found = ctx.get(getattr(top, f"s_axil_{channel}resp"))
        await ctx.tick()
        return found

    async def testbench(ctx):
        for name in ("awready", "wready", "arready"):
            assert ctx.get(getattr(top, f"s_axil_{name}")), name
        # Whatever is said of protection.
        ctx.set(top.s_axil_arprot, int(rng.integers(8)))
        word = {"wdata": 0xDEADBEEF, "wstrb": 15, "awvalid": 1, "wvalid": 1, "awprot": int(rng.integers(8))}
        for locked, place, expected in (
            (0, layers, OKAY),
            (1, layers, SLAVE_ERROR),
            (0, nowhere, DECODE_ERROR),
        ):
            ctx.set(host.locked, locked)
            assert await answer(ctx, "b", awaddr=place, **word) == expected
        assert written == 2 * [(layers, 0xDEADBEEF)]
        ctx.set(host.r_data, 0x12345678)
        assert await answer(ctx, "r", araddr=layers, arvalid=1) == OKAY
        assert ctx.get(host.addr) == layers // 4 and ctx.get(top.s_axil_rdata) == 0x12345678
        assert await answer(ctx, "r", araddr=nowhere, arvalid=1) == DECODE_ERROR
        for level in (1, 0):
            ctx.set(top.engine.interrupt, level)
            assert ctx.get(top.irq) == level

    simulate(top, testbench, limit=60, monitors=[watch])


def test_ports_of_streamed_trunks():
    sizes = {"trunk_bits": 18, "trunk_depth": 16, "quant": 2, "engines": 2}
    beats = {"tdata", "tvalid", "tready", "tlast"}
    for trunks, checks, expected in (
        ("onchip", "full", set()),
        ("stream", "none", beats),
        ("stream", "full", beats | {"tid"}),
    ):
        top = AxiTop(BareEngine(preset("tiny").replace(trunks=trunks, checks=checks, **sizes)))
        Fragment.get(top, None)
        for side in "sm":
            names = {name for name in top.signature.members if name.startswith(f"{side}_axis_trunks_")}
            assert names == {f"{side}_axis_trunks_{name}" for name in expected}
    # Four integers of 18 bits fill 9 bytes.
    assert len(top.s_axis_trunks_tdata) == len(top.m_axis_trunks_tdata) == 72


@pytest.mark.parametrize("results, sums", [("single", 1), ("wide", 6)])
def test_beats_of_results(results, sums):
    top = AxiTop(BareEngine(preset("tiny").replace(rows=6, quant=3, engines=2, results=results)))
    Fragment.get(top, None)  # elaborates, so that nothing counts as unused
    assert (len(top.m_axis_tdata), len(top.m_axis_tkeep)) == (32 * sums, 4 * sums)


@pytest.mark.parametrize("weights", ["onchip", "stream"])
@pytest.mark.parametrize("port_bytes", [1, 4])
def test_ports_of_the_top(port_bytes, weights):
    config = preset("tiny").replace(port_bytes=port_bytes, weights=weights)
    top = AxiTop(BareEngine(config))
    Fragment.get(top, None)  # elaborates, so that nothing counts as unused
    names = set(top.signature.members)
    assert ("s_axis_tkeep" in names) == (port_bytes > 1)
    assert {"m_axis_tkeep", "m_axis_tuser", "irq"} <= names
    assert len(top.s_axis_tdata) == 8 * port_bytes
    assert len(top.m_axis_tdata) == config.result_bits
    lite = {name.removeprefix("s_axil_") for name in names if name.startswith("s_axil_")}
    assert lite == set(
        "awaddr awprot awvalid awready wdata wstrb wvalid wready bresp bvalid bready araddr arprot "
        "arvalid arready rdata rresp rvalid rready".split()
    )
    assert len(top.s_axil_awaddr) == len(top.engine.host.addr) + 2
    streamed = {name for name in names if name.startswith("s_axis_weights_")}
    if weights == "onchip":
        assert streamed == set()
    else:
        beats = ("tdata", "tvalid", "tready", "tlast", "tid")
        assert streamed == {f"s_axis_weights_{name}" for name in beats}
        assert len(top.s_axis_weights_tid) == 3  # of 8 passes
        assert len(top.s_axis_weights_tdata) == 8 * port_bytes
