"""A deployed stack, on the laptop or on AWS, and how the tools reach it."""
