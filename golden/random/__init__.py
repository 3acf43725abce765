"""Seeded random networks and images, the same on every machine."""
