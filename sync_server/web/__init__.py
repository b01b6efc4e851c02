"""The edge: aiohttp handlers of at most 15 lines, routes, middleware, request bodies and answers."""
