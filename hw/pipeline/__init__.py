"""The constant-weight pipeline: a stage per layer, made of its weights."""
