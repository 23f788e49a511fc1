"""Route of /api/schemas: the schema of checks.yaml, for everybody."""

from aws_lambda_powertools.event_handler import Response

from functions.checks.file_schema import schema_text
from functions.http.answers import JSON_TYPE


def schema_answer() -> Response[str]:
    """Answer with the JSON Schema of checks.yaml."""
    headers = {"cache-control": "public, max-age=3600", "x-content-type-options": "nosniff"}
    return Response(status_code=200, content_type=JSON_TYPE, headers=headers, body=schema_text())
