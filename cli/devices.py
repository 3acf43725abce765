"""`dorefa devices`: the devices that designs are placed and routed on."""

import argparse

from .common.output import Output

SUMMARY = "list the devices that `synth --pnr`, `check` and `explore` know"
EXAMPLE = "dorefa devices"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`: it has none."""


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.synth.targets.catalog import TARGETS

    out = Output(args.json)
    devices = [
        {
            "name": device.name,
            "target": target.name,
            "luts": device.luts,
            "ffs": device.ffs,
            "brams": device.brams,
            # What `synth --pnr` takes unless another is asked for.
            "default": device is target.devices[0],
        }
        for target in TARGETS.values()
        for device in target.devices
    ]
    header = ["--device", "--target", "LUTs", "registers", "block RAMs", "default"]
    out.table(header, [list(device.values()) for device in devices])
    without = [target.name for target in TARGETS.values() if not target.devices]
    out.say(f"without a device: {', '.join(without)}, whose netlists are counted and not routed")
    out.report({"devices": devices})
    return 0
