"""A process of the model at its ports: what it answers, how it refuses, and that nothing of it stays."""

import errno
import os
import re
import signal

import numpy as np
import pytest

from dorefa.golden.backward.job import Job
from dorefa.golden.backward.matrix import run_matrix
from dorefa.golden.process.scratch import scratch_root
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.compiler.training.weight_operands import weight_packets
from dorefa.hw.interface.registers import IDENTITY, REGISTERS, Mode
from dorefa.sim.job.errors import SimulationError
from dorefa.sim.training.engine import TrainingEngine
from dorefa.sim.verilator import model_process
from dorefa.sim.verilator import session as session_module
from dorefa.sim.verilator.session import session

from ..conftest import TRAINING

JOB = Job(layer="conv", kind="weight", in_shape=(4, 5, 3), out_channels=5, kernel=(2, 2), w_bits=2, a_bits=3)


@pytest.fixture
def own(training_verilog, seed):
    """A session that a test may end, ready for JOB."""
    with session(training_verilog, TRAINING, cycles=1, seed=seed) as opened:
        yield prepared(opened)


def prepared(opened):
    engine = TrainingEngine(session=opened, program=JobProgram.of([JOB], TRAINING))
    engine.load()
    engine.begin(Mode.IMAGE, packet_bytes=4 * 5 * 3, layers=1)
    return opened


def operands(rng, count):
    """Images and weights of JOB, its pass, and both as packets."""
    images = rng.integers(0, 8, (count, *JOB.in_shape), np.uint8)
    weights = rng.integers(0, 4, (count, *JOB.weights_shape), np.uint8)
    (part,) = JobProgram.of([JOB], TRAINING).parts[JOB]
    return images, weights, part.computed, images.reshape(count, -1), weight_packets(part.computed, weights)


def run(opened, made, **changes):
    _, _, computed, packets, weights = made
    options = {"weights": weights, "answer_bytes": computed.result_bytes, "limit": 10_000} | changes
    return opened.run(packets, **options)


def test_registers_through_the_port(opened):
    assert opened.read(REGISTERS["identity"].address) == IDENTITY
    words = [(REGISTERS["image_bytes"].address, 0x12345678), (REGISTERS["noise_seed_0"].address, 0x89ABCDEF)]
    assert opened.write(words) > len(words)
    assert [opened.read(address) for address, _ in words] == [word for _, word in words]
    assert opened.write([]) == 0


def test_packets_and_their_answers(opened, rng):
    made = operands(rng, 3)
    answers = run(prepared(opened), made)
    images, weights, computed, packets, _ = made
    assert np.array_equal(computed.answers(answers.results, weights), run_matrix(JOB, images, weights))
    assert (answers.cycles == computed.cost.cycles).all()
    assert (answers.last_in - answers.first_in == -(-packets.shape[1] // TRAINING.port_bytes) - 1).all()
    assert (answers.last_out - answers.first_in + 1 == computed.lead + computed.cost.cycles).all()
    assert (answers.first_in[1:] > answers.last_out[:-1]).all()


def test_stalls_change_no_result(stalling, opened, rng):
    made = operands(rng, 5)
    answers, others = run(prepared(opened), made), run(prepared(stalling), made)
    assert np.array_equal(answers.results, others.results)
    assert (others.last_in - others.first_in).sum() > (answers.last_in - answers.first_in).sum()


def test_no_packets(opened):
    answers = opened.run(np.zeros((0, 60), np.uint8), answer_bytes=8, limit=10)
    assert answers.results.shape == (0, 8) and not len(answers.cycles)


def test_weights_of_two_sizes(opened, rng):
    with pytest.raises(ValueError, match="packets of weights have one size"):
        opened.run(np.zeros((2, 60), np.uint8), [b"12", b"123"], answer_bytes=8, limit=10)


def refused(own, message, *arguments, **options):
    with pytest.raises(SimulationError, match=f"^compiled model: {re.escape(message)}"):
        run(own, *arguments, **options)
    # The session is over, whatever is asked of it.
    with pytest.raises(SimulationError, match="^compiled model: "):
        own.read(0)


def test_watchdog_of_cycles(own, rng):
    message = (
        "packet 0 is not done after 200 cycles: all of it was taken, 0 of 0 weight packets, and 0 of 240 "
        "bytes came back"
    )
    refused(own, message, operands(rng, 2), weights=(), limit=200)


def test_answers_of_another_length(own, rng):
    refused(own, "packet 0: TLAST is 0 after 8 of 8 bytes", operands(rng, 1), answer_bytes=8)


def test_weights_that_nobody_takes(own, rng):
    made = operands(rng, 1)
    refused(own, "only 1 of 2 weight packets were taken", made, weights=2 * made[4])


def test_a_dropped_packet_is_answered_early(own, rng):
    TrainingEngine(session=own, program=JobProgram.of([], TRAINING)).begin(
        Mode.QUANTIZE_GRADIENTS, packet_bytes=62, code_bits=2
    )
    refused(own, "packet 0: TLAST is 1 after 28 of 240 bytes", operands(rng, 1), weights=())


def test_an_address_that_does_not_answer(own):
    with pytest.raises(SimulationError, match="^compiled model: a read was answered with an error$"):
        own.read(21)


def test_watchdog_of_seconds(own, monkeypatch):
    monkeypatch.setattr(model_process, "_GRACE", 0.2)
    os.kill(own._process._process.pid, signal.SIGSTOP)
    with pytest.raises(SimulationError, match="^compiled model: killed: slower than 500 cycles a second$"):
        own.read(0)


def test_a_process_that_does_not_start(training_verilog, monkeypatch):
    monkeypatch.setattr(session_module.model, "build", lambda *_, **__: "/nowhere/engine")
    with pytest.raises(
        SimulationError, match="^compiled model does not start: /nowhere/engine: No such file"
    ):
        with session(training_verilog, TRAINING, cycles=1):
            pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, None])
def test_nothing_stays(training_verilog, error):
    before = {*scratch_root().iterdir()}
    try:
        with session(training_verilog, TRAINING, cycles=1) as opened:
            process = opened._process._process
            assert {*scratch_root().iterdir()} > before
            if error:
                raise error
    except (KeyboardInterrupt, RuntimeError):
        pass
    assert process.poll() is not None and {*scratch_root().iterdir()} == before
    with pytest.raises(OSError) as caught:
        os.kill(process.pid, 0)
    assert caught.value.errno == errno.ESRCH
