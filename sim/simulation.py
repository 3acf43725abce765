"""Running a network on the generated Verilog, and comparing every layer with golden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.files import PathName, write_file
from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.network import Network
from dorefa.golden.process.scratch import scratch_folder
from dorefa.golden.run.integer import real_arrays, result_arrays, run_integer
from dorefa.hw.compiler.compile import CompiledNetwork, compile_network
from dorefa.hw.compiler.packets import of_image, result_maps
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.verilog.export import MODULE

from . import backends
from .compare import Comparison
from .job.inputs import check_stalls, first_images
from .job.job import Job, Trace
from .report import SimulationReport, make_report

_LONGEST_LATENCY = 100_000
_LATEST_RESET = 100_000_000


def simulate(
    network: Network | IntegerNetwork,
    *,
    images: np.ndarray,
    config: EngineConfig | None = None,
    labels: np.ndarray | None = None,
    simulator: str = "auto",
    limit: int | None = None,
    stalls: int = 0,
    latency: int = 0,
    seed: int = 1,
    through_port: bool = False,
    verilog_text: str | None = None,
    module: str = MODULE,
    preloaded: bool = False,
    ports_only: bool = False,
    reset_after: int = 0,
    trace: PathName | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SimulationReport:
    """Runs `network` on the Verilog of an engine and compares it with golden, layer by layer.

    network: a `Network` or an `IntegerNetwork`; images: uint8 (batch, H, W, C); config: the
    `EngineConfig` (default: sized for the network); labels: integers (batch,), for the accuracy;
    simulator: ``verilator``, ``icarus``, ``amaranth`` or ``auto`` (the first of these that works
    here); limit: run only the first images; stalls: chance in percent, 0 to 90, that a port waits
    in a cycle; latency: cycles, 0 to 100,000, that the memory outside takes before
    each packet; seed: of stalls and of what uninitialized memory holds; through_port: load the
    network through AXI4-Lite instead of directly into the memories (cocotb always does);
    verilog_text: the Verilog to run instead of exporting the engine's, module: its top; preloaded: whether
    that holds the network already, so that nothing is loaded; ports_only: whether it is a
    netlist with its cell models: the network is loaded through AXI4-Lite, and the results at the port are
    all that is compared (Verilator only); reset_after: cycles of the last packet after which a reset ends it
    and everything begins, with memories as they are then (Verilator only; 0: no reset); trace: a VCD
    file to write, of all signals but memories, also of an engine that does not finish (not in Icarus);
    progress: called with (images done, images).

    Raises InputError for input that cannot work (shapes, a network too large for `config`, a
    missing simulator, a count that is no multiple of the engine's `batch`) and
    :class:`dorefa.sim.job.errors.SimulationError` when the engine does not finish.
    """
    integer = network if isinstance(network, IntegerNetwork) else lower(network)
    images, labels = first_images(integer, images, labels, limit)
    check_stalls(stalls)
    if not isinstance(latency, int) or not 0 <= latency <= _LONGEST_LATENCY:
        raise InputError(f"latency is {latency!r}; accepted: an integer, 0 to {_LONGEST_LATENCY} cycles")
    if not isinstance(reset_after, int) or not 0 <= reset_after <= _LATEST_RESET:
        raise InputError(f"reset_after is {reset_after!r}; accepted: an integer, 0 to {_LATEST_RESET} cycles")
    compiled_only = "a netlist" if ports_only else "a reset" if reset_after else None
    if compiled_only and simulator not in ("auto", "verilator"):
        raise InputError(f"simulator is {simulator}; accepted for {compiled_only}: verilator, auto")
    compiled = compile_network(integer, config if config is not None else fit(integer))
    batch = compiled.config.batch
    if len(images) % batch:
        raise InputError(f"images has {len(images)} images; accepted: a multiple of batch = {batch}")
    job = Job(
        compiled=compiled,
        images=images.reshape(-1, *compiled.network.input_shape),
        stalls=stalls,
        latency=latency,
        seed=seed,
        through_port=through_port or ports_only,
        preloaded=preloaded,
        ports_only=ports_only,
        reset_after=reset_after,
        module=module,
        progress=progress,
    )

    def run(name: str, why: str) -> tuple[list[Trace], int, str, str]:
        if trace is None:
            return *backends.run(name, job, verilog_text), name, why
        return *_traced(name, job, verilog_text, trace), name, why

    traces, network_load_cycles, name, why = backends.with_simulator(
        "verilator" if compiled_only else simulator, run
    )

    comparison = Comparison()
    expected = run_integer(integer, images)
    leaving = [integer.layers[index].name for index in integer.result_layers]
    compared = leaving if ports_only else list(expected)
    found = [values for trace in traces for values in _per_image(compiled, trace)]
    for image, got in enumerate(found):
        for result in compared:
            comparison.add(result, image, expected[result][image], got[result])
    results = {name: np.stack([values[name] for values in found]) for name in leaving}
    return make_report(
        compiled=compiled,
        traces=traces,
        comparison=comparison,
        compared=compared,
        labels=labels,
        results=result_arrays(integer, results),
        real=real_arrays(integer, results),
        simulator=name,
        why=why,
        network_load_cycles=network_load_cycles,
    )


def _traced(name: str, job: Job, verilog_text: str | None, path: PathName) -> tuple[list[Trace], int]:
    """:func:`.backends.run` with a waveform at `path`."""
    with scratch_folder() as folder:
        waveform = folder / "trace.vcd"
        try:
            return backends.run(name, replace(job, waveform=waveform), verilog_text)
        finally:
            if waveform.exists():
                write_file(path, waveform.read_bytes())


def _per_image(compiled: CompiledNetwork, trace: Trace) -> Iterator[dict[str, np.ndarray]]:
    """Values by golden's names of every image of a packet."""
    batch = compiled.config.batch
    results = result_maps(compiled.network, compiled.schedule, trace.results)
    for image in range(batch):
        # The images of a batch lie side by side in every map.
        maps = {
            name: values if batch == 1 else values[:, image : image + 1]
            for name, values in trace.values.items()
        }
        yield maps | {name: of_image(values, image, batch) for name, values in results.items()}
