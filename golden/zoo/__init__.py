"""Networks that have a name, their weights, and data sets."""
