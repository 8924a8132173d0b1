"""Measurements against peers, in the same minutes on the same machine; ratios are what counts."""
