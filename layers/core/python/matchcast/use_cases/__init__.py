"""What the product does, in terms of the ports alone."""
