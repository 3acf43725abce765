"""Algorithm 1 of the paper: training with low-bitwidth gradients."""
