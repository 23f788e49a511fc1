"""Routes of endpoints and deliveries, and their part of the OpenAPI document."""
