"""When an engine that trains takes packets and registers, and when codes leave: engine.md has the numbers."""

import numpy as np
import pytest

from dorefa.golden.backward.planes import run_planes
from dorefa.golden.quantizers.gradient import gradient_scales, quantize_words, reciprocals
from dorefa.hw.compiler.training.job_pass import JobPass
from dorefa.hw.engine.training.gradient_quantizer import GradientQuantizer
from dorefa.hw.engine.training.operand_port import settle_cycles
from dorefa.hw.engine.training.weight_quantizer import WeightQuantizer
from dorefa.hw.interface.registers import REGISTERS, Mode

from .job_bench import JobBench, beats_of, job_descriptor, jobs_weights
from .job_scenarios import ENGINE, draw, draw_words, job


@pytest.mark.parametrize("port_bytes", [4, 16])
def test_latencies(rng, port_bytes):
    """From beats to codes, to the next packet, to the first read; documented in engine.md."""
    config = ENGINE.replace(port_bytes=port_bytes, weights="onchip")
    gradients, weights = settle_cycles(config)
    latency = GradientQuantizer.latency
    one = job(in_shape=(4, 6, 4), a_bits=8)
    computed = JobPass(part=one, config=config)
    images, operand = draw(rng, one, 1)
    words, floats = draw_words(rng, 96), rng.normal(size=40).astype(np.float32)
    # Mode, words, cycles from the last beat to the next packet, from a beat to its codes.
    cases = (
        (Mode.MEASURE_GRADIENTS, words, gradients + 2, None),
        (Mode.QUANTIZE_GRADIENTS, words, latency + 5, latency + 2),
        (Mode.MEASURE_WEIGHTS, floats, weights + 2, None),
        (Mode.QUANTIZE_WEIGHTS, floats, weights + 2, WeightQuantizer.latency + 2),
    )

    async def scenario(ctx, bench):
        seen = bench.seen
        for mode, packet, to_next, to_codes in cases:
            for cycles in seen.values():
                cycles.clear()
            await bench.quantize(ctx, mode, packet, 5)
            await bench.send(ctx, packet.tobytes())
            beats = packet.nbytes // port_bytes
            assert seen["i"][beats] - seen["i"][beats - 1] == to_next, mode
            assert np.ptp(seen["i"][:beats]) == beats - 1
            if to_codes is not None:
                for _ in range(2):
                    await bench.results(ctx)
                assert (np.array(seen["o"]) - seen["i"] == to_codes).all(), mode
            await bench.idle(ctx)
        if port_bytes > 4:  # the descriptor takes longer than such an image
            return
        await bench.table(ctx, bench.map.program, job_descriptor(computed))
        await bench.sums(ctx, computed, images, operand)
        image = seen["read"][-1] - seen["i"][-1]
        await bench.quantize(ctx, Mode.QUANTIZE_GRADIENTS, words, 8, layers=1)
        await bench.results(ctx)
        assert seen["read"][-1] - seen["i"][-1] == image + latency

    JobBench(config, rng).run(scenario)


@pytest.mark.parametrize("weights", [0, 1])
def test_a_measurement_ends_in_time(rng, weights):
    """`measured` is right from the cycle in which the engine is not busy any more."""
    mode = Mode.MEASURE_WEIGHTS if weights else Mode.MEASURE_GRADIENTS

    async def scenario(ctx, bench):
        for count in (9, 1):
            words = draw_words(rng, count)
            if weights:
                words = words.astype(np.float32)
                expected = np.abs(words).max().view(np.uint32)
            else:
                expected = gradient_scales(words[None])[0]
            await bench.registers(ctx, image_bytes=words.nbytes, job={"mode": mode})
            await bench.send(ctx, words.tobytes())
            while ctx.get(bench.engine.status.busy):
                await ctx.tick()
            assert await bench.read(ctx, "measured") == expected

    JobBench(ENGINE, rng).run(scenario)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_packet_finds_what_the_registers_held_before_its_first_beat(rng, after):
    """What is written while it comes is for the next one: another program, mode, size and kind of noise.
    Without checks, which would refuse it."""
    one, count = job(), 12
    words, other = draw_words(rng, count), draw(rng, one, 1)
    codes, _ = quantize_words(words[None], 4, None)

    async def scenario(ctx, bench):
        computed = JobPass(part=one, config=bench.config)
        await bench.table(ctx, bench.map.program, job_descriptor(computed), 7)
        await bench.table(ctx, bench.map.reciprocals, reciprocals(4))
        await bench.measure(ctx, Mode.MEASURE_GRADIENTS, words)
        job_ = {"mode": Mode.QUANTIZE_GRADIENTS, "code_bits": 4}
        await bench.registers(ctx, image_bytes=words.nbytes, layers=0, job=job_)
        beats = beats_of(words.tobytes(), bench.config.port_bytes)
        if not after:  # one is written in the cycle before the first beat, and there in that of the beat
            await bench.write(ctx, [(REGISTERS["job"].address, 0)], found=False)
        await bench.send(ctx, b"", beats=beats[: max(1, after)])
        await bench.registers(
            ctx,
            program_start=7,
            job={"mode": Mode.IMAGE, "noise": 1, "code_bits": 8},
            layers=1,
            image_bytes=computed.image_bytes,
        )
        await bench.send(ctx, b"", beats=beats[max(1, after) :])
        assert (await bench.results(ctx)).tobytes() == codes.tobytes()
        bench.weights += jobs_weights(computed, other[1])
        await bench.send(ctx, computed.packets(other[0])[0])
        found = computed.answers((await bench.results(ctx))[None], other[1])
        assert (found == run_planes(one, *other)).all()

    JobBench(ENGINE.replace(checks="none"), rng).run(scenario)
