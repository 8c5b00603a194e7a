"""What the other process uses; it is put on its PYTHONPATH and needs no vosbench there."""
