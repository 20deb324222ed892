"""Correct backends, each written in another manner, which the suite must let pass."""
