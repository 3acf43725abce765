"""From accumulators to codes, trunks and results."""
