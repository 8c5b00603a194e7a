"""From a grid that a person asks for to stored results: plan, order, workers, executors."""
