"""Sums of chosen inputs as a graph of additions, and the search for a small one."""
