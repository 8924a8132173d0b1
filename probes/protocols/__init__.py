"""Shared clients: one per protocol, so that kinds do not each grow their own."""
