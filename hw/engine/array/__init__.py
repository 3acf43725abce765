"""Dot products of patches and weights."""
