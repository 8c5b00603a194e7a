"""Energy: sources of power readings, windows over them, and the joules that come out."""
