"""The generated Verilog, compiled."""
