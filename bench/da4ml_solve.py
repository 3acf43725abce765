"""What da4ml makes of constant matrices: Verilog in a folder, run by `beside_da4ml.py` in an environment that
has da4ml.

    python da4ml_solve.py JOB.npz FOLDER

Of every array of the job, int (outputs, inputs), named ``NUMBER_BITS_SIGNED`` by its codes, the settings are
the defaults of `da4ml convert`. Prints JSON: adders, registers behind one another, and of how many random
vectors how many are wrong, of da4ml's own interpreter.
"""

import json
import sys
from pathlib import Path

import numpy as np
from da4ml.codegen import RTLModel
from da4ml.trace import FixedVariableArray, HWConfig, comb_trace

_VECTORS = 1000


def solve(weights, bits, signed, folder):
    """Writes the Verilog of a matrix; returns its line."""
    count = weights.shape[1]
    kif = (np.full(count, part, np.int8) for part in (int(signed), bits - signed, 0))
    codes = FixedVariableArray.from_kif(*kif, HWConfig(1, -1, -1), 0, {"hard_dc": 2})
    logic = comb_trace(codes, codes @ weights.T.astype(np.float32))
    model = RTLModel(logic, "kernel", folder, latency_cutoff=5, print_latency=False)
    model.write()
    low = -(1 << (bits - 1)) if signed else 0
    drawn = np.random.default_rng(1).integers(low, low + (1 << bits), (_VECTORS, count))
    wrong = (logic.predict(drawn.astype(np.float64)) != drawn @ weights.T).any(axis=1).sum()
    adders = sum(op.opcode in (0, 1) for op in logic.ops)
    stages = len(model._pipe.solutions)
    return {"adders": adders, "registers": stages, "vectors": _VECTORS, "wrong": int(wrong)}


def main():
    job, folder = np.load(sys.argv[1]), Path(sys.argv[2])
    found = []
    for name in job.files:
        number, bits, signed = map(int, name.split("_"))
        found.append(solve(job[name], bits, signed, folder / str(number)))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
