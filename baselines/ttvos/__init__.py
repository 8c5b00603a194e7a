"""TTVOS (template matching with a short-term memory) and G-TTVOS, the same with a reuse gate."""
