"""Boards: pins, clocks, bitstreams."""
