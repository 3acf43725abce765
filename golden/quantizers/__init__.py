"""The quantizers of the paper."""
