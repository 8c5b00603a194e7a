"""From a runner and a clip to numbers: accuracy walks, timing passes, and their summaries."""
