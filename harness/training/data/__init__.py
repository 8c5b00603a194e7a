"""What training reads: pictures and videos, the clips made from them, and their features."""
