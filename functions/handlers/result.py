"""Lambda entry point of results, languages, health, the OpenAPI file, the console, and every unknown path."""

from aws_lambda_powertools.event_handler import Response

from functions.handlers.result_wiring import wiring
from functions.http.resolver import PerThread, Resolver
from functions.telemetry import logger


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("result"))
    app.get("/api/result/<id_text>")(lambda id_text: wiring().results.one(app, id_text))
    app.delete("/api/result/<id_text>")(lambda id_text: wiring().results.delete(app, id_text))
    app.get("/api/result/<id_text>/stdout")(lambda id_text: wiring().results.raw(app, id_text, "stdout"))
    app.get("/api/result/<id_text>/stderr")(lambda id_text: wiring().results.raw(app, id_text, "stderr"))
    app.get("/api/results")(lambda: wiring().results.page(app))
    app.get("/api/languages")(lambda: wiring().health.languages_answer(app.current_event.query_string_parameters))
    app.get("/api/health")(lambda: wiring().health.health())  # noqa: PLW0108 - wiring() runs on the first request
    app.get("/api/health/ready")(lambda: wiring().health.ready())  # noqa: PLW0108 - same
    app.get("/api/openapi.json")(_openapi)
    app.get("/docs")(_reference)
    app.get("/")(lambda: _console(app))
    app.get("/console/<version>/<name>")(lambda version, name: _console_file(app, version, name))
    return app


def _openapi() -> Response[str]:
    from functions.handlers.api_document import openapi_text  # noqa: PLC0415 - imports every model; few requests need it

    return Response(status_code=200, content_type="application/json", body=openapi_text())


def _reference() -> Response[str]:
    from functions.handlers.api_document import reference_page  # noqa: PLC0415 - same
    from functions.http.openapi.page import HEADERS  # noqa: PLC0415 - same

    return Response(status_code=200, content_type="text/html; charset=utf-8", headers=HEADERS, body=reference_page())


def _console(app: Resolver) -> Response[str]:
    from functions.console.routes import page  # noqa: PLC0415 - few requests need it

    return page(app.current_event)


def _console_file(app: Resolver, version: str, name: str) -> Response[bytes] | Response[str]:
    from functions.console.routes import file  # noqa: PLC0415 - same

    return file(app.current_event, version, name)


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
