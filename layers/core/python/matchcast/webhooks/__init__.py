"""Callbacks: events of final states, delivered by Standard Webhooks until the receiver has them."""
