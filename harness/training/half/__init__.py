"""Training of FRTM-half: walks over short sequences, as the tracker takes them."""
