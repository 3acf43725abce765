"""ONNX files: nodes and constants out of bytes that nobody vouches for."""
