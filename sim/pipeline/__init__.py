"""Simulations of a pipeline: images in, results out, at its streams."""
