"""HTTP code of all API handlers: resolver, error mapping, parameters, OpenAPI."""
