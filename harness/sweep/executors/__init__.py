"""Running a study's trials in several processes, or on a Ray cluster, and clearing up after it."""
