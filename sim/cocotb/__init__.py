"""The generated Verilog behind its own ports, in Icarus or Verilator."""
