"""Losses, steps and validation of TTVOS and its gated form."""
