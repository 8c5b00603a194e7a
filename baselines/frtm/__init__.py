"""FRTM and its gated form: target model, refiner, reuse modules, and the network of all three."""
