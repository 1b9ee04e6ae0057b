"""Train, register, export and publish models."""
