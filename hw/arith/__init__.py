"""Popcounts and dot products of bit planes."""
