"""The engine: one image in, a program of layers, one packet of class scores out."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .array import DotArray
from .delay import delayed
from .drain import Drain
from .feature_memory import FeatureMemory
from .host import HostPort, host_signature
from .issue import Issue
from .memory_map import quantizer_class
from .packer import PlanePacker
from .patch_buffer import PatchBuffer
from .pool import ColumnOrder, MaxPool
from .results import Results, result_layout
from .run_generator import RunGenerator
from .sequencer import Sequencer, image_layout
from .weight_memory import WeightMemory
from .window_reader import WindowReader


class Engine(wiring.Component):
    """A bit-plane popcount convolution engine that runs whole networks.

    Ports (all in the `sync` domain, reset drops every `valid`):

    - `i`: stream of image beats (:func:`sequencer.image_layout`), NHWC bytes, one image per packet;
    - `o`: stream of results (:func:`results.result_layout`), ``sum(v * a)`` of the last layer, int;
    - `host`: registers and memories (:mod:`dorefa.hw.memory_map`);
    - `status`: `busy`; `first_read` pulses with an image's first feature read, `layer_done` in the
      cycle after a layer's last feature-memory write or last result.

    `memories` preloads the engine: ``program`` (words), ``weights`` (words per row), ``params``
    (words per memory) and ``registers`` (reset values), as in ``CompiledNetwork.memories``.

    Latency of a layer: see :mod:`dorefa.hw.cycles`, which predicts it to the cycle.
    """

    def __init__(self, config, *, memories=None):
        self._config = config
        self._memories = memories or {}
        super().__init__(
            {
                "i": In(stream.Signature(image_layout(config))),
                "o": Out(stream.Signature(result_layout(config))),
                "host": In(host_signature(config)),
                "status": Out(
                    wiring.Signature({"busy": Out(1), "first_read": Out(1), "layer_done": Out(1)})
                ),
            }
        )

    @property
    def config(self):
        """The :class:`EngineConfig`."""
        return self._config

    def elaborate(self, platform):
        m = Module()
        config, memories = self._config, self._memories
        m.submodules.host = host = HostPort(config, init=memories.get("registers"))
        m.submodules.sequencer = sequencer = Sequencer(config, init=memories.get("program"))
        m.submodules.run_generator = runs = RunGenerator(config)
        m.submodules.window_reader = reader = WindowReader(config)
        m.submodules.feature = feature = FeatureMemory(config)
        m.submodules.patch = patch = PatchBuffer(config)
        m.submodules.weights = weights = WeightMemory(config, init=memories.get("weights"))
        m.submodules.issue = issue = Issue(config)
        m.submodules.array = array = DotArray(config)
        m.submodules.drain = drain = Drain(config)
        m.submodules.quantizer = quantizer = quantizer_class(config)(
            config, init=memories.get("params")
        )
        m.submodules.pool = pool = MaxPool(config)
        m.submodules.packer = packer = PlanePacker(config)
        m.submodules.results = results = Results(config)
        layer = sequencer.layer
        wiring.connect(m, wiring.flipped(self.host), host.host)
        wiring.connect(m, wiring.flipped(self.i), sequencer.i)
        wiring.connect(m, runs.o, reader.runs)
        wiring.connect(m, reader.w, patch.w)
        wiring.connect(m, results.o, wiring.flipped(self.o))

        for part in (runs, reader, issue, drain):
            m.d.comb += [part.layer.eq(layer), part.start.eq(sequencer.start)]
        m.d.comb += [
            sequencer.enable.eq(host.enable),
            sequencer.layers.eq(host.layers),
            sequencer.image_bytes.eq(host.image_bytes),
            sequencer.w_en.eq(host.program_en),
            sequencer.w_address.eq(host.program_address),
            sequencer.w_data.eq(host.program_data),
            weights.w_en.eq(host.weights_en),
            weights.w_row.eq(host.weights_memory),
            weights.w_address.eq(host.weights_address),
            weights.w_data.eq(host.weights_data),
            quantizer.w_en.eq(host.params_en),
            quantizer.w_memory.eq(host.params_memory),
            quantizer.w_address.eq(host.params_address),
            quantizer.w_data.eq(host.params_data),
            # Feature memory to patches.
            feature.r_address.eq(reader.r_address),
            reader.bits.eq(feature.o),
            issue.filled.eq(reader.filled),
            reader.released.eq(issue.released),
            # Patches and weights to the array: both memories answer after the same time.
            patch.slot.eq(issue.slot),
            patch.word.eq(issue.word),
            weights.address.eq(issue.weight),
            array.a.eq(patch.a),
            array.w.eq(weights.w),
            array.step.eq(delayed(m, issue.step, patch.latency, "step")),
            array.tile_ends.eq(delayed(m, issue.tile_ends, patch.latency, "tile_ends")),
            drain.captured.eq(array.captured),
            *(kept.eq(acc) for kept, acc in zip(drain.acc, array.acc, strict=True)),
            *(kept.eq(acc) for kept, acc in zip(drain.sums, array.sums, strict=True)),
            issue.drained.eq(drain.drained),
            drain.ready.eq(~layer.raw | results.ready),
        ]

        if config.a_bits > 1:  # one plane needs no choice
            m.d.comb += patch.plane.eq(issue.plane)

        # Accumulators to codes, or to results.
        codes = Signal(len(pool.codes))
        quantizing = quantizer.latency(config)
        m.d.comb += [
            *(into.eq(value) for into, value in zip(quantizer.values, drain.values, strict=True)),
            *(into.eq(value) for into, value in zip(results.values, drain.values, strict=True)),
            *(into.eq(value) for into, value in zip(results.offsets, quantizer.offsets, strict=True)),
            quantizer.param.eq(drain.group.param),
            quantizer.code_mask.eq(layer.code_mask),
            results.valid.eq(drain.valid & layer.raw),
            results.group.eq(drain.group),
            codes.eq(Cat(*quantizer.codes)),
            pool.codes.eq(codes),
            pool.valid.eq(delayed(m, drain.valid & ~layer.raw, quantizing, "quantizing")),
            pool.group.eq(delayed(m, drain.group, quantizing, "group")),
        ]

        # Codes of the image, and of layers, to the feature memory.
        stored = Signal(len(pool.codes))
        store, stored_count, store_last = Signal(), Signal(config.quant.bit_length()), Signal()
        if config.cols == 1:
            m.d.comb += [
                store.eq(pool.o_valid),
                stored.eq(pool.o_codes),
                stored_count.eq(pool.o_group.count),
                store_last.eq(pool.o_group.ends_layer),
            ]
        else:
            m.submodules.column_order = order = ColumnOrder(config)
            m.d.comb += [
                order.valid.eq(pool.o_valid),
                order.codes.eq(pool.o_codes),
                order.group.eq(pool.o_group),
                store.eq(order.o_valid),
                stored.eq(order.o_codes),
                stored_count.eq(order.o_count),
                store_last.eq(order.o_last),
            ]
        wide, narrow = config.a_bits, config.out_bits
        image = sequencer.i.payload.data
        loaded_codes = Cat(image[8 * byte : 8 * byte + wide] for byte in range(config.port_bytes))
        layer_codes = Cat(
            Cat(stored[lane * narrow : (lane + 1) * narrow], Signal(wide - narrow, name=f"zero_{lane}"))
            for lane in range(config.quant)
        )
        m.d.comb += [
            packer.start.eq(sequencer.load_start | (sequencer.start & ~layer.raw)),
            packer.address.eq(Mux(sequencer.start, layer.out_address, 0)),
            packer.valid.eq(sequencer.load | store),
            packer.codes.eq(Mux(sequencer.load, loaded_codes, layer_codes)),
            packer.count.eq(Mux(sequencer.load, sequencer.load_count, stored_count)),
            packer.last.eq(Mux(sequencer.load, sequencer.load_last, store_last)),
            sequencer.loaded.eq(packer.done),
            feature.w_en.eq(packer.w_en),
            feature.w_address.eq(packer.w_address),
            feature.w_data.eq(packer.w_data),
        ]

        running = Signal()
        counter = Signal(32)
        first_read = reader.first_read & ~running
        ended = Mux(layer.raw, results.done, packer.done & ~sequencer.load)
        m.d.comb += [
            sequencer.layer_ended.eq(ended),
            host.busy.eq(sequencer.busy),
            host.wrong_packet.eq(sequencer.wrong_packet),
            self.status.busy.eq(sequencer.busy),
            self.status.first_read.eq(first_read),
        ]
        m.d.sync += self.status.layer_done.eq(ended & sequencer.busy & running)
        # The image counter: from the first read to the cycle of the last result, both included.
        with m.If(sequencer.finished):
            m.d.sync += [running.eq(0), host.cycles.eq(counter)]
        with m.Elif(first_read):
            m.d.sync += [running.eq(1), counter.eq(2)]
        with m.Elif(running):
            m.d.sync += counter.eq(counter + 1)
        return m
