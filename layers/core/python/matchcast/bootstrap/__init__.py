"""The composition root: the only place where settings become adapters and adapters become use cases.

Every factory is cached and reads its settings on its first call. On Lambda that is when the handler's module is
imported (`parts.make_at_init`), elsewhere when a part is first used; making parts never touches the network. A
function imports only the modules that make its own parts, so that an image holds nothing else.
"""
