"""The quantizers of training: gradients and weights to codes, as they come through a port."""
