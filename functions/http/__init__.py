"""Shared by all API handlers: resolver, error mapping, parameters, OpenAPI."""
