"""Counters and adders made of the cells of one family of devices."""
