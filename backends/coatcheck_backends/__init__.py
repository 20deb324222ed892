"""The backends that ship with coatcheck.

Each stands behind the same hooks and the same kind of entry point as one that
a user writes, and only the one that a URL names is imported. This module
itself imports nothing, so that no driver is loaded by accident.
"""
