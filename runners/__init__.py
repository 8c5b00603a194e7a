"""The one interface between the harness and a model, and the adapters behind it."""
