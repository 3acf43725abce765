"""Residual trunks: what rounds a layer's sums into one, and what adds two."""
