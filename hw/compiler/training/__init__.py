"""The jobs of a training step on one engine: their program, operands, sums and cost."""
