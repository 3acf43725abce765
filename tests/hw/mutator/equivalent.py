"""Mutants that no test can find, by component and name, and why: they compute the same, or what differs is of
no use to anyone. `mutator.campaign` refuses a name that no mutant has, and one that a test kills."""

_ENABLED = "what enables a read port is 1 where nothing drives it"
_DEEP = "the first planes are as deep as the map: no address is beyond them"

EQUIVALENT: dict[str, dict[str, str]] = {
    "popcount": {
        "_compress: reduced[weight] = Cat(reduced.get(weight, Const(0, 0)), keep) -> reduced[weight] = Cat("
        "keep, reduced.get(weight, Const(0, 0)))": "bits of one weight, whose order is of no meaning",
        "_compress: carry = a & b | c & (a ^ b) -> carry = a & b | c & (a | b)": "the same majority of three",
    },
    "dot": {
        f"DotUnit._add_mapped: {few}chains.absorbs >= 4 -> {few}chains.absorbs {other}": "the chain then "
        "adds a multiplexed base instead of making it: the same sum"
        for few, other in (
            ("not self._signed_planes and ", "> 4"),
            ("not self._signed_planes and ", "> 4, second time only"),
            ("", ">= 5"),
        )
    },
    "issue": {
        "_Pairs.restart: self._plane_base.eq(address) dropped": "the first significance is one pair; what "
        "follows it sets the base",
        "_Pairs.__init__: self._layer, self._one_plane = (layer, config.w_bits == 1) -> self._layer, "
        "self._one_plane = (layer, config.w_bits == 0)": "what counts weight planes counts a single one too",
    },
    "pixel_position": {
        "PixelPosition.elaborate: config.cols > 1 -> config.cols > 0": "where there is one column, "
        "every pixel is the first of its set, and ends it",
    },
    "threshold_quantizer": {
        "param_memory: read.en.eq(1) dropped": _ENABLED,
    },
    "affine_quantizer": {
        "AffineQuantizer.elaborate: product = Signal(signed(product_bits), name=f'product_{lane}') -> "
        "product = _narrower(Signal(signed(product_bits), name=f'product_{lane}'))"
        + second: "a signed number of acc_bits by an unsigned one of mul_bits fits acc_bits + mul_bits"
        for second in ("", ", second time only")
    }
    | {
        "AffineQuantizer.elaborate: product_bits = config.acc_bits + config.mul_bits + 1 -> "
        "product_bits = config.acc_bits + config.mul_bits + 2": "a wider register holds the same product"
    },
    "residual": {
        "Residual.elaborate: below.eq(doubled & (1 << layer.trunk_shift) - 1) -> below.eq(doubled & "
        "(1 << layer.trunk_shift) - 2)" + second: "the last bit of what was doubled is 0"
        for second in ("", ", second time only")
    },
    "lfsr_counter": {
        "loop: count, last = (Signal.like(before_last), Signal()) -> "
        "count, last = (Signal.like(before_last), Signal(init=1))": "no loop is read before it begins",
    },
    "thermometer": {
        "reached: digit = (len(value) + 1) // 2 -> digit = " + digit: "digits of any widths compare the same"
        for digit in (
            "(len(value) + 2) // 2",
            "(len(value) + 1) // 3",
            "(len(value) - 1) // 2",
            "(len(value) + 0) // 2",
            "(len(value) + 1) // 1",
        )
    }
    | {
        "reached: low_reached = [*(low <= number for number in range((1 << digit) - 1)), Const(1)] -> "
        f"low_reached = [*(low <= number for number in range({most})), Const(1)]": "no digit is above "
        "the greatest, which is always reached"
        for most in ("(1 << digit) - 0", "(2 << digit) - 1", "(1 << digit) + 1")
    }
    | {
        "reached: bits.append((high < own) | here if own else here) -> "
        "bits.append((high < own) | here)": "no digit is less than that of 0"
    },
    "column_order": {
        "ColumnOrder.elaborate: buffer = Signal() -> buffer = Signal(init=1)": "either buffer may be first",
        "ColumnOrder.elaborate: reading, ends_layer = (Signal(), Signal()) -> "
        "reading, ends_layer = (Signal(), Signal(init=1))": "counts only beside a group that leaves",
    },
    "weight_memory": {
        f"WeightMemory.elaborate: read.en.eq(1) dropped{second}": _ENABLED
        for second in ("", ", second time only")
    },
    "feature_memory": {
        f"FeatureMemory.elaborate: read.en.eq(1) dropped{second}": _ENABLED
        for second in ("", ", second time only")
    }
    | {
        "FeatureMemory.elaborate: write.en.eq(self.w_en & (self.w_address[0] == bank) & exists) -> "
        "write.en.eq(self.w_en & (self.w_address[0] == bank)), second time only": _DEEP,
        "FeatureMemory.elaborate: exists = self.w_address < 2 * memory.depth -> "
        "exists = self.w_address < 3 * memory.depth, second time only": _DEEP,
    },
    "greatest": {
        f"Greatest.elaborate: {text}": "names of registers alone"
        for text in (
            "level = 0 -> level = 1",
            "values, level = (greater, level + 1) -> values, level = (greater, level + 2)",
        )
    }
    | {
        f"Greatest.elaborate: {text}": "of two equal ones either is the greatest"
        for text in (
            *(
                f"value.eq(Mux(one > other, one, other)) -> value.eq(Mux(one >= other, one, other)){second}"
                for second in ("", ", second time only")
            ),
            "m.If(valid & (first | (values[0] > self.o))) -> m.If(valid & (first | (values[0] >= self.o)))",
        )
    },
    "gradient_quantizer": {
        "GradientQuantizer._factors: answer = delayed(m, read.data, 1, 'answer', reset_less=True) -> "
        "answer = delayed(m, read.data, 0, 'answer', reset_less=True)": "the reciprocal is there a cycle "
        "before it is needed, but behind a slow path",
        "GradientQuantizer._factors: middle = Const(1 << FRACTION_BITS - WORD_BITS) << (self.g_bits - 1)[:3] "
        "-> middle = Const(1 << FRACTION_BITS - WORD_BITS) << (self.g_bits - 1)[:4]": "three bits "
        "say how far, G being 1 to 8",
    },
    "weight_loader": {
        "WeightLoader._fill: self.w_en.eq(Cat(((at.row == number // together) & beat & word_ends & "
        "(at.address != half_depth) for number in range(config.total_rows)))) -> self.w_en.eq(Cat(((at.row "
        "== number // together) & beat & (at.address != half_depth) for number in "
        f"range(config.total_rows)))){second}": "the last beat of a word writes it over what the others have"
        for second in ("", ", second time only")
    }
    | {
        "WeightLoader.elaborate: wanted = at.running & (at.packets_left != 0) & ~at.full.bit_select("
        "at.filling, 1) -> wanted = (at.packets_left != 0) & ~at.full.bit_select(at.filling, 1)": "packets "
        "are left while an image runs, and never else",
        "WeightLoader._turn: held = Signal() -> held = Signal(init=1)": "it empties in the first cycle, in "
        "which nothing has come",
    },
    "sequencer": {
        "Sequencer._passes: next_last, last = (Signal(), Signal()) -> "
        "next_last, last = (Signal(init=1), Signal())": "written in every cycle, and read behind a packet",
    },
    "descriptor_fetch": {
        "fetch_descriptors: fetching, asks, answers, complete = (Signal(), Signal(), Signal(), Signal()) -> "
        f"fetching, asks, answers, complete = {other}": "cleared in the first cycle, before it is looked at"
        for other in (
            "(Signal(init=1), Signal(), Signal(), Signal())",
            "(Signal(), Signal(), Signal(), Signal(init=1))",
        )
    }
    | {
        f"fetch_descriptors: fetching.eq(0) {other}": "asked for while an image comes in, in front of which "
        "the state between images clears it"
        for other in ("dropped", "-> fetching.eq(1)")
    }
    | {
        "_descriptor: half = Signal() -> half = Signal(init=1)": "either half of the table may be first",
    },
    "load_check": {},
    "outlet": {
        "Outlet.elaborate: m.If(self.stop & self.answer) -> m.If(self.answer)": "answer comes with stop",
        "Outlet.elaborate: settles.eq(settles + 1) -> settles.eq(settles - 1)": "from 0 to 2 are two steps "
        "of two bits upwards and downwards",
    },
    "recovery": {
        "Recovery.elaborate: self.answer.eq(self.stop & owes & self.busy) -> "
        "self.answer.eq(owes & self.busy)": "the error that owes an answer stops in the same cycle",
        "Recovery.elaborate: owes = Signal() -> owes = Signal(init=1)": "read while it stops, and in the "
        "first cycle it does not",
    },
    "pool": {
        "AxisPool._combined: larger = Mux(new > kept, new, kept) -> larger = Mux(new >= kept, new, "
        "kept)": "of two equal numbers each is the larger",
        "AxisPool._combined: return total if self._operations == ('sum',) else Mux(self.sums, total, "
        "larger) -> return Mux(self.sums, total, larger)": "what only sums is told so for every pixel",
    },
    "set_columns": {
        **{
            "SharedColumns.describe: m.If(columns[column:column + 2] == 1) -> "
            f"m.If(columns[column:column + {many}] == 1), second time only": "columns that share a run are "
            "neighbors, and what the last of them says counts"
            for many in (1, 3)
        },
        "SeparateColumns.end_sets: m.If(self._start | self._goes & ends.set) -> "
        "m.If(self._goes & ends.set)": "a layer ends with a set, which leaves the count at 0",
    },
    "plane_packer": {
        "PlanePacker._write_groups: carry, begins, returns = (Signal(), Signal(), Signal()) -> "
        "carry, begins, returns = (Signal(init=1), Signal(), Signal())": "set by the cycle before a word",
        "PlanePacker.elaborate: finishing.eq(grouped | finishing & rests[-1]) -> "
        "finishing.eq(grouped | finishing)": "the last group is not written again before the next start",
        "PlanePacker.elaborate: places = [Signal(self._places, init=1, name=f'place_{lane}') for lane in "
        "range(lanes)] -> places = [Signal(self._places, init=0, name=f'place_{lane}') for lane in "
        "range(lanes)]": "set by start, which comes before codes",
        "PlanePacker._offered: return byte | self.valid & (self.count > lane) if lane < config.total_quant "
        "else byte -> return byte | self.valid & (self.count > lane) if lane <= config.total_quant else "
        "byte": "no cycle has more codes than total_quant",
    },
    "patch_buffer": {
        f"PatchBuffer.elaborate: read.en.eq(1) dropped{second}": _ENABLED
        for second in ("", ", second time only")
    }
    | {
        "PatchBuffer.elaborate: pieces.append(Array(planes)[plane] if len(planes) > 1 else planes[0]) -> "
        f"pieces.append(Array(planes)[plane]{text}{second}": "of one plane there is none other to choose"
        for text in (
            ")",
            *(f" if len(planes) {some} else planes[0])" for some in ("> 0", ">= 1")),
        )
        for second in ("", ", second time only")
    }
    | {
        "PatchBuffer.elaborate: lanes = slice(column * config.lanes, (column + 1) * config.lanes) -> "
        f"lanes = slice(column * config.lanes, (column + 2) * config.lanes){second}": "the next column "
        "takes its lanes itself, and there are none behind the last one"
        for second in ("", ", second time only")
    }
    | {
        "PatchBuffer.elaborate: return Cat((word | group << word_bits - group_bits)[:word_bits], slot) -> "
        "return Cat(slot, (word | group << word_bits - group_bits)[:word_bits])": "the same words in "
        "another order",
    },
    "results": {
        "Results.elaborate: taken, turn, current, ends = (Signal(), Signal(lanes), Signal(lanes), "
        "Signal()) -> taken, turn, current, ends = (Signal(), Signal(lanes), Signal(lanes), "
        "Signal(init=1))": "read beside a result only, when it was written",
    },
    "host_port": {
        "HostPort._write_memories: enables = complete & ~ResetSignal().replicate(window.memories) if "
        "self._preloaded else complete -> enables = complete & "
        f"~ResetSignal().replicate(window.memories){second}": "a write in a reset harms no empty memory"
        for second in ("", ", second time only")
    },
    "uart": {
        "UartReceiver.elaborate: armed = Signal() -> armed = Signal(init=1)": "the line begins high, which "
        "arms the receiver before it can fall",
    },
    "guard": {
        "connect_guard: moves = moves | port.valid & port.ready -> moves = moves | port.ready, second time "
        "only": "weights are ready beside a beat alone, or while the host ends all that is watched",
        "connect_guard: image, ran = (Signal.like(trunks.image), Signal()) -> image, ran = ("
        "Signal.like(trunks.image), Signal(init=1))": "no image is under way in the first cycle",
    },
    "trunk_streams": {
        f"TrunkStreams.{text}": "the cycle behind an image's end is one between images"
        for text in (
            "elaborate: drops = self.finished | self.idle if config.guarded else self.finished -> "
            "drops = self.idle if config.guarded else self.finished",
            "_number: m.If(self.finished | self.idle) -> m.If(self.idle)",
        )
    },
    "engine": {
        f"Engine._count: counter = Signal(32, init=1) -> counter = Signal(32, init={init})": "set anew in "
        "every cycle in which no image runs"
        for init in (0, 2)
    },
    "window_reader": {
        "WindowReader._mask: first.eq(Mux(~row_start[-1] & (within > low), within, low)) -> "
        "first.eq(Mux(~row_start[-1] & (within >= low), within, low))": "the greater of two equal places",
        "WindowReader.elaborate: whole = Signal() -> whole = Signal(init=1)": "no register, a statement "
        "drives it always",
        "WindowReader._mask: none, far, ends_first = (Signal(), Signal(), Signal()) -> "
        "none, far, ends_first = (Signal(), Signal(), Signal(init=1))": "set anew in every cycle, and no "
        "step is in the first one",
        "WindowReader._steps: beyond.eq(-1) -> beyond.eq(-2)": "its low digits count where `full` is 0 alone",
        "WindowReader._mask: far.eq(row_end[shift:-1].any()) -> far.eq(row_end[shift:-2].any())": "a row has "
        "no more bits than the memory, and no run begins farther in front of it than twice as many",
    },
    "shared_reader": {
        "SharedReader._mask: row_start, row_end = (Signal(signed(len(into) + 1), name=name) for name in "
        "('row_start', 'row_end')) -> row_start, row_end = (_narrower(Signal(signed(len(into) + 1), "
        "name=name)) for name in ('row_start', 'row_end'))": "a window is never in the lower half of the "
        "places below zero that its register has",
        "SharedReader._steps: last_copied, to_flush, to_clear = (Signal(), Signal(), Signal()) -> "
        "last_copied, to_flush, to_clear = (Signal(init=1), Signal(), Signal())": "no register, a statement "
        "drives it always",
    }
    | {
        f"SharedReader._steps: last_copied.eq(~flushes & ~clears & (number == run.last_step)) -> "
        f"last_copied.eq({text})": "behind a run's last step the number is another one"
        for text in ("~flushes & (number == run.last_step)", "number == run.last_step")
    },
    "run_generator": {
        "RunGenerator._place: first, returns, begins = (Signal(place), Signal(), Signal()) -> "
        "first, returns, begins = (Signal(place), Signal(), Signal(init=1))": "set by the step to the first "
        "run, before it counts",
        "RunGenerator.elaborate: self.o.valid.eq(0) dropped": "a pass starts while no run is left, with a 0",
        "RunGenerator.elaborate: y = self._place(m, taken & valid | begins, taken, step.move, distance, run) "
        "-> y = self._place(m, taken | begins, taken, step.move, distance, run)": "the place moves on while "
        "no run is left alone, and a start sets it",
    },
    "operand_port": {
        "OperandPort.elaborate: measured_weights = Signal() -> measured_weights = Signal(init=1)": "both "
        "measures are 0 until the first packet is measured",
    },
    "axi": {
        "AxiTop.elaborate: inner.eq(outer) dropped, second time only #2": "the bridge's second input is "
        "`awprot`, which says nothing to it",
        "AxiLiteBridge._write_answer: answer.eq(OKAY) dropped": "OKAY is 0, as is what nothing drives",
        "AxiLiteBridge.elaborate: wrote_last = Signal() -> wrote_last = Signal(init=1)": "of a read and a "
        "write that wait either may be the first",
    },
    "serial_host": {
        "SerialHost._beat: before = (earlier.word_select(number, 8) for number in range(size - 1)) -> "
        "before = (earlier.word_select(number, 8) for number in range(size + 1))": "the beat's last byte "
        "differs where it is not kept alone",
    },
    "column_packer": {
        "ColumnPacker._masks: ends_within = final & ~fills -> ends_within = ~fills": "a step that neither "
        "ends nor fills a piece writes none",
        "ColumnPacker._turned: half = len(early) // 2 -> half = len(early) // 1": "all bits are turned in "
        "the first of the two cycles",
        "ColumnPacker._masks: beyond, fills = (Signal(), Signal()) -> beyond, fills = (Signal(), "
        "Signal(init=1))": "no register, a statement drives it always",
    },
}
