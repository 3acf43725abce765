"""The only warnings of Verilator that exported Verilog may have."""

from __future__ import annotations

from collections.abc import Iterable

# (rule, message pattern, reason). Everything else is an error.
WAIVERS = (
    ("DECLFILENAME", "*", "one file holds every module, named after none of them"),
    (
        "WIDTHEXPAND",
        "Operator * expects * bits on the ?HS, but ?HS's * generates * bits.",
        "Yosys writes operands in their own width; Verilog extends them as RTLIL cells do",
    ),
    (
        "WIDTHTRUNC",
        "Logical operator LOGNOT expects 1 bit *",
        "Yosys writes `x == 0` as `!x`, which is defined for vectors",
    ),
    (
        "WIDTHTRUNC",
        "Operator ASSIGNW expects * but Assign RHS's SHIFT* generates *",
        "the low bits of a shift, which Yosys writes with the width of what is shifted",
    ),
    ("CASEOVERLAP", "Case conditions overlap *", "one-hot selects: one pattern per bit, the others ignored"),
    (
        "UNUSEDSIGNAL",
        "Bits of signal are not used: *",
        "upper bits of sums and fields of buses that one module does not need",
    ),
    (
        "UNUSEDSIGNAL",
        "Signal is not used: '_*_'",
        "a net without a name in the source that holds only such unused bits",
    ),
    ("UNUSEDSIGNAL", "Signal is not used: 'rst'", "modules with nothing but data, which takes no reset"),
    ("UNUSEDSIGNAL", "Signal is not used: 'stop'", "likewise, of the reset by the host and by errors"),
    ("UNUSEDSIGNAL", "Signal is not used: 'offsets__*'", "only engines of XNOR products need them"),
    ("UNUSEDSIGNAL", "Signal is not used: 'first_read'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 'group_*'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 'tile_waits'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 'o_valid_*'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 's_axil_a?prot'", "AXI4-Lite has it; every access is equal"),
    ("UNUSEDSIGNAL", "Signal is not used: 'status__*'", "kept for checks in simulation"),
)


def waiver_file(files: Iterable[str]) -> str:
    """Verilator configuration that waives :data:`WAIVERS` in Verilog `files`, wherever they lie, and nowhere
    else; reasons included."""
    lines = ["`verilator_config"]
    for rule, match, reason in WAIVERS:
        lines.append(f"// {reason}")
        lines += [f'lint_off -rule {rule} -file "*{name}" -match "{match}"' for name in files]
    return "\n".join(lines) + "\n"
