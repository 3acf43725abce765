"""Layers of constant weights as logic: a window of codes in, a pixel of codes out."""
