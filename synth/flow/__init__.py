"""Yosys and nextpnr: synthesis, place and route, counts."""
