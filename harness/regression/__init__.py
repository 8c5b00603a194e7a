"""Regression tracking: did accuracy or speed change, and can the answer be believed?

Runs are read from a database or a portable file (``measured``, ``portable``), paired by grid
point (``points``), turned into evidence (``statistics``) and judged together (``verdict``).
Nothing here imports torch.
"""
