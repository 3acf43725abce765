"""Size of the AND + popcount: ours beside 3:2 compression and Yosys's own lowering of a sum.

    python bench/popcount_area.py [--lanes 64,256] [--seed 1,2,3] [--target ecp5,ice40,xilinx]

Logic cells are nextpnr's after packing (carry cells included; ECP5: LFE5U-85F-6, iCE40: HX8K), for
6-input LUTs Yosys's count. The clock is the best over the seeds.
"""

import argparse
import tempfile

from dorefa.hw.config.engine import preset
from dorefa.synth.flow import nextpnr, report, yosys
from dorefa.synth.flow.units import make_unit
from dorefa.synth.targets.catalog import find_target

# (target, what it is called, structure, pipeline, Yosys command or None for ours)
VARIANTS = (
    ("ecp5", "mapped", "mapped", "none", None),
    ("ecp5", "mapped, register per level", "mapped", "level", None),
    ("ecp5", "mapped, register per 3 levels", "mapped", "level3", None),
    ("ecp5", "3:2 compression", "compress", "none", None),
    ("ecp5", "sum, -nowidelut", "sum", "none", None),
    ("ecp5", "sum, synth_ecp5 with default flags", "sum", "none", "synth_ecp5 -top {top}"),
    ("ice40", "mapped", "mapped", "none", None),
    ("ice40", "mapped, register per level", "mapped", "level", None),
    ("ice40", "3:2 compression", "compress", "none", None),
    ("ice40", "sum", "sum", "none", None),
    ("xilinx", "mapped", "mapped", "none", None),
    ("xilinx", "3:2 compression", "compress", "none", None),
    ("xilinx", "sum", "sum", "none", None),
)


def measure(target, structure, pipeline, command, lanes, seeds):
    """(logic cells, MHz or None) of one variant."""
    parameters = {"lanes": lanes, "structure": structure, "pipeline": pipeline}
    unit = make_unit("popcount", preset("default").replace(encoding="unsigned", **parameters), target)
    with tempfile.TemporaryDirectory() as folder:
        if find_target(target).router:
            routed = nextpnr.place_and_route(unit, target=target, seeds=seeds, folder=folder, command=command)
            return routed["luts"], routed["fmax_mhz"]
        statistics = yosys.synthesize(unit.write(folder), top=unit.top, target=target, components=False)
    counted = report.report(
        statistics, unit=unit.name, top=unit.top, target=target, binary_ops_per_cycle=lanes
    )
    return counted["luts"], None


def numbers(text):
    """argparse type of a list of integers."""
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lanes", type=numbers, default=[64, 256])
    parser.add_argument("--seed", type=numbers, default=[1, 2, 3])
    parser.add_argument("--target", default="ecp5,ice40,xilinx")
    arguments = parser.parse_args()
    print("| target | structure | lanes | logic cells | per lane | MHz |")
    print("|---|---|---|---|---|---|")
    for target, name, structure, pipeline, command in VARIANTS:
        if target not in arguments.target.split(","):
            continue
        for lanes in arguments.lanes:
            cells, clock = measure(target, structure, pipeline, command, lanes, arguments.seed)
            speed = f"{clock:.0f}" if clock else ""
            print(f"| {target} | {name} | {lanes} | {cells} | {cells / lanes:.2f} | {speed} |", flush=True)


if __name__ == "__main__":
    main()
