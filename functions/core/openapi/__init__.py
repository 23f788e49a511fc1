"""The OpenAPI 3.1 document, generated from the models that validate requests and messages."""

from functions.core.openapi.document import openapi_text

__all__ = ["openapi_text"]
