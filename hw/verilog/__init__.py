"""From Amaranth to plain Verilog; knows no engine."""
