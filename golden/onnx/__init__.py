"""Networks from QONNX files and to them."""
