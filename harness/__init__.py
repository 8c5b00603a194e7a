"""Datasets, metrics, clocks, the result store, the scheduler and the command line."""
