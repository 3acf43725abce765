"""The engine in Amaranth's own simulator."""
