"""The built-in dataset ``motion``: procedural clips with exact masks, made on first use.

``generate.make_clip(kind, seed, size, frames)`` makes one clip in memory, for training too;
``builtin`` writes the dataset's own clips into the cache and opens them.
"""
