"""Losses, steps and validation of FRTM and its gated form."""
