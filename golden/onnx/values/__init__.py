"""What the tensors of a file are: codes, sums, their axes, the quantizers that make them."""
