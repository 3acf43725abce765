"""Campaigns: one function over many tasks, on one machine or many, going on where they stopped."""
