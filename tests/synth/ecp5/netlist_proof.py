"""What the tests of netlists share: a proof by SAT that a rewritten netlist computes the same."""

import json

from dorefa.synth.flow import yosys


def prove_equal(before, rewrite, folder, *, models="", sat=""):
    """Proves that the netlist `before` (Yosys's JSON with the one module ``before``) and what
    `rewrite(netlist)` makes of it, in place, are equal; `models`: Verilog of cells that the vendor's models
    lack, `sat`: options of the proof."""
    (folder / "before.json").write_text(json.dumps(before))
    rewrite(before)
    before["modules"] = {"after": before["modules"]["before"]}
    (folder / "after.json").write_text(json.dumps(before))
    (folder / "models.v").write_text(models)
    script = []
    for name in ("before", "after"):
        # `hierarchy` gives the models the cells' parameters.
        script += [
            "design -reset",
            "read_verilog -overwrite +/ecp5/cells_sim.v models.v",
            f"read_json {name}.json",
            f"hierarchy -check -top {name}",
            "proc",
            "flatten",
            f"design -stash {name}",
        ]
    script += [
        "design -copy-from before before",
        "design -copy-from after after",
        "miter -equiv -flatten before after miter",
        f"sat -verify {sat} -prove trigger 0 miter",
    ]
    yosys.run_script("\n".join(script) + "\n", folder=folder, log="proof.log")


# By induction, whatever the registers hold before the first clock edge.
INDUCTION = "-tempinduct -seq 3 -set-init-undef"
