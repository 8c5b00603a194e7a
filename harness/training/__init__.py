"""Training of the networks: data, losses, the loop, and the checkpoint at its end."""
