"""Alembic's script directory. `schema.py` of each backend runs it; there is no alembic.ini."""
