"""Datasets: clips of frames and annotations, read, checked, hashed, described and exported.

``registry.open("davis16", root=DIR)`` gives a :class:`dataset.Dataset`; its ``select`` gives the
clips of one evaluation and their ``manifest_sha256``; ``prefetch.Prefetch`` reads a clip ahead.
"""
