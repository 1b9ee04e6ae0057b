"""The composition root: the only place where settings become adapters and adapters become use cases.

Every factory is cached and reads its settings on its first call, so importing a handler touches neither the
environment nor the network. A function imports only the modules that make its own parts, so that an image holds
nothing else.
"""
