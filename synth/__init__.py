"""Synthesis, place and route, boards, explorations."""
