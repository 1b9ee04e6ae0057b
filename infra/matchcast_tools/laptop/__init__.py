"""The laptop stack: the template on a local engine, without account, token or Docker."""
