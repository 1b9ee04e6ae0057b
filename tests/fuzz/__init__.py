"""Hostile requests through the real handlers: nothing that a client sends makes them fail, slow or long-winded."""
