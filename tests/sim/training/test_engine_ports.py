"""What comes through the ports of an engine that trains, where no runner asks for it: on the Verilog."""

import numpy as np

from dorefa.golden.backward.job import Job
from dorefa.golden.backward.planes import run_planes
from dorefa.golden.quantizers.gradient import gradient_scales, quantize_words, reciprocals
from dorefa.golden.quantizers.noise import noise_bytes, stream_state
from dorefa.hw.compiler.training.job_pass import JobPass
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.compiler.training.weight_operands import weight_packets
from dorefa.hw.interface.registers import REGISTERS, Mode
from dorefa.sim.training.engine import TrainingEngine

from ..conftest import TRAINING

JOB = Job(
    layer="test",
    kind="input",
    in_shape=(5, 4, 3),
    out_channels=9,
    kernel=(3, 2),
    padding=(1, 0, 1, 1),
    w_bits=2,
    a_bits=5,
)
LIMIT = 20_000


def test_sums_follow_codes_in_their_packet_and_dropped_packets_leave_no_trace(rng, stalling):
    computed = JobPass(part=JOB, config=TRAINING)
    engine = TrainingEngine(session=stalling, program=JobProgram.of([JOB], TRAINING))
    engine.load()
    engine.fill(engine.memory_map.reciprocals, 0, reciprocals(JOB.a_bits))
    words = rng.integers(-32767, 32768, (3, *JOB.in_shape)).astype(np.int16) >> 3
    noise = noise_bytes(5, 1, 2, 3, words[0].size).reshape(words.shape)
    weights = rng.integers(0, 1 << JOB.w_bits, (1, *JOB.weights_shape)).astype(np.uint8)
    codes, scales = quantize_words(words, JOB.a_bits, noise)
    sums = run_planes(JOB, codes, weights) - computed.constants(weights)[:, None, None]
    packets = words.reshape(3, -1).view(np.uint8)
    for sample, packet in enumerate(packets):
        engine.begin(Mode.MEASURE_GRADIENTS, packet_bytes=packet.size)
        for wrong in (packet[:-4], np.append(packet, packet[:4]), packet[:-1]):
            stalling.run(wrong[None], answer_bytes=0, limit=LIMIT)
            status = REGISTERS["status"]
            assert status.decode(stalling.read(status.address))["wrong_packet"]
            stalling.write([(status.address, status.clear_word)])
        stalling.run(packet[None], answer_bytes=0, limit=LIMIT)
        assert engine.measured() == scales[sample] == gradient_scales(words)[sample]
        engine.begin(
            Mode.QUANTIZE_GRADIENTS,
            packet_bytes=packet.size,
            layers=1,
            code_bits=JOB.a_bits,
            noise_state=stream_state(5, 1, 2, sample),
        )
        expected = codes[sample].tobytes() + sums[sample].astype("<i4").tobytes()
        answers = stalling.run(
            packet[None], weight_packets(computed, weights), answer_bytes=len(expected), limit=LIMIT
        )
        assert answers.results[0].tobytes() == expected
