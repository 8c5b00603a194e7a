"""Alembic's environment: one file per revision of the schema, in ``versions``."""
