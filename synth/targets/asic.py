"""Standard cells of a Liberty library."""

from __future__ import annotations

from .target import Cells, Gates, NetlistFlow, Synthesis, Target

# {memory} is empty where memories stay as they are: mapped to flip-flops they hide the logic and take hours.
_MAP = (
    "synth -run begin:fine {flatten}-noshare -top {{top}}; opt -fast -full; {{memory}}"
    "techmap; opt -fast; dfflibmap -liberty cells.lib; "
    "abc -liberty cells.lib -script {script}; opt_clean"
)
# The pass's own script for a library, then buffers and sizes: a net read a thousand times would
# otherwise be all there is to the longest path.
_ABC = (
    "strash; &get -n; &fraig -x; &put; scorr; dc2; dretime; strash; &get -n; &dch -f; &nf; &put; "
    "buffer -c; topo; upsize; dnsize"
)

TARGET = Target(
    name="asic",
    description="standard cells of a Liberty library",
    synthesis=Synthesis(
        flat=_MAP.format(flatten="-flatten ", script="time.abc"),
        hierarchical=_MAP.format(flatten="", script="map.abc"),
    ),
    # The library says which cells are flip-flops.
    cells=Cells(brams={"$mem*": 1, "dorefa_memory_*": 1}),
    gates=Gates(
        # `stime -d` appends the longest path to stats.txt. What ABC prints is lost in the packaged Yosys.
        scripts={"map.abc": f"{_ABC}\n", "time.abc": f"{_ABC}; stime -d\n"},
        memory_to_logic="memory_map; opt -undriven -fine; ",
    ),
    # Yosys writes gates as the expressions that they are, and a memory as an array of words.
    netlist=NetlistFlow(
        commands="synth -run begin:fine -flatten -noshare -top {top}; opt -fast -full; techmap; opt -fast; "
        "abc -g gates; opt -fast; opt_clean",
        models=(),
        memories="behavioural models",
    ),
)
