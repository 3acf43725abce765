"""The three convolutions of a training step as jobs of one bit-plane convolution engine."""
