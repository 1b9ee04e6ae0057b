"""HTTP as every function of the API speaks it: routes, problems, cursors, caching, the OpenAPI contract."""
