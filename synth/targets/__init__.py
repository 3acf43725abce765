"""Families of devices, and gates: everything that is known of each, in one object."""
