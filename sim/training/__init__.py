"""Training steps whose convolutions and quantizers run on the generated Verilog."""
