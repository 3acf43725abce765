"""What the tests of netlists share: a proof that a rewritten netlist computes the same."""

import json

from ...proofs import prove_equal


def prove_rewritten(before, rewrite, folder, *, models="", settles=None):
    """Proves that the netlist `before` (Yosys's JSON with the one module ``before``) and what
    `rewrite(netlist)` makes of it, in place, are equal; `models`: Verilog of cells that the vendor's models
    lack, `settles` as :func:`.prove_equal`."""
    (folder / "before.json").write_text(json.dumps(before))
    rewrite(before)
    before["modules"] = {"after": before["modules"]["before"]}
    (folder / "after.json").write_text(json.dumps(before))
    (folder / "models.v").write_text(models)
    prove_equal(folder, _flat("before"), _flat("after"), settles=settles)


def _flat(name):
    # `hierarchy` gives the models the cells' parameters.
    return [
        "read_verilog -overwrite +/ecp5/cells_sim.v models.v",
        f"read_json {name}.json",
        f"hierarchy -check -top {name}",
        "proc",
        "flatten",
    ]
