"""The routes of the OpenAPI document, and the document as a page without another host, or need of a script."""

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from pydantic import Field

from functions.http.openapi.operation import FAILED, THROTTLED
from functions.http.resolver import Resolver, Route

# The OpenAPI document as a page: no request to another host, readable without a style sheet and without a script.

_STYLE = """\
:root { color-scheme: light dark; --line: #8885; --soft: #8881; --accent: #0a58ca; }
@media (prefers-color-scheme: dark) { :root { --accent: #8ab4f8; } }
html { background: Canvas; color: CanvasText; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
a { color: var(--accent); }
nav ul { columns: 15rem; padding-left: 1.2rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; }
details > :not(summary) { margin-left: 1rem; margin-right: 1rem; }
summary { padding: .5rem .8rem; cursor: pointer; background: var(--soft); overflow-wrap: anywhere; }
summary code { font-weight: normal; }
summary b { display: inline-block; min-width: 4.2rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .6rem .8rem; background: var(--soft); border-radius: 6px; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; border-bottom: 1px solid var(--line); }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "cache-control": "public, max-age=300",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_CODE = re.compile(r"`([^`]+)`")
_VARIABLE = re.compile(r"\{(\w+)\+?\}")
_KEYS = {"ApiKey": "$RUSTBOX_API_KEY", "AdminKey": "$RUSTBOX_ADMIN_KEY"}
_LIMITS = (
    *("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "minItems", "maxItems"),
    *("minProperties", "maxProperties", "multipleOf", "pattern", "format"),
)


def render(document: Mapping[str, Any], script: str = "") -> str:
    """Return the page of an OpenAPI document, in HTML. `script`: the address of its module; GET /docs has none."""
    module = f'<script type="module" src="{escape(script)}"></script>' if script else ""
    title, version = escape(document["info"]["title"]), escape(document["info"]["version"])
    tags = [tag["name"] for tag in document["tags"]]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>'
        f'{title}: API reference</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style>{module}</head><body><header><h1>{title}</h1><p>Version {version}. "
        '<a href="api/openapi.json">openapi.json</a> is the same for tools.</p>'
        f'{_paragraphs(document["info"]["description"])}</header><nav aria-label="Sections"><ul>'
        + "".join(_section_link(name) for name in (*tags, "Events sent to you", "Models"))
        + "</ul></nav><main>"
        + "".join(_tag(document, tag["name"], tag["description"]) for tag in document["tags"])
        + _section("Events sent to you", "", "".join(_webhooks(document)))
        + _section("Models", "", "".join(_models(document)))
        + "</main></body></html>\n"
    )


def _section_link(name: str) -> str:
    return f'<li><a href="#{_anchor(name)}">{escape(name)}</a></li>'


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")


def _section(name: str, description: str, content: str) -> str:
    return f'<section><h2 id="{_anchor(name)}">{escape(name)}</h2>{_paragraphs(description)}{content}</section>'


def _tag(document: Mapping[str, Any], tag: str, description: str) -> str:
    schemes = document["components"]["securitySchemes"]
    headers = {name: scheme["name"] for name, scheme in schemes.items() if "name" in scheme}
    found = (
        _operation(path, method, operation, headers)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if tag in operation["tags"]
    )
    return _section(tag, description, "".join(found))


_BEARER = "Authorization: Bearer"


def _operation(path: str, method: str, operation: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    keys = [f"<code>{escape(headers.get(name, _BEARER))}</code>" for each in operation["security"] for name in each]
    rows = [
        (
            f"<code>{escape(each['name'])}</code>",
            escape(each["in"]) + (", required" if each.get("required") else ""),
            _kind(each["schema"]),
            _text(each.get("description", "")),
        )
        for each in operation["parameters"]
    ]
    body = operation.get("requestBody")
    summary = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {_text(operation['summary'])}"
    content = (
        f"<p>{'Needs the header ' + ' or '.join(keys) if keys else 'Needs no key'}.</p>"
        f"<pre>{escape(_curl(path, method, operation, headers))}</pre>"
        + _table(("parameter", "where", "type", "description"), rows)
        + ("" if body is None else "".join(map(_request, body["content"].values())))
        + _table(("status", "answer", "body"), _answers(operation["responses"]))
    )
    return _folded(operation["operationId"], summary, content)


def _curl(path: str, method: str, operation: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """Return a command for a shell. What the reader replaces is in capitals."""
    query = "&".join(
        f"{each['name']}={each['name'].upper()}"
        for each in operation["parameters"]
        if each["in"] == "query" and each.get("required")
    )
    address = _VARIABLE.sub(lambda found: found[1].upper(), path) + (f"?{query}" if query else "")
    options = {"get": "", "head": " --head"}.get(method, f" -X {method.upper()}")
    lines = [f'curl -s{options} "$RUSTBOX_URL{address}"']
    lines += [
        f'-H "{headers[name]}: {_KEYS.get(name, name.upper())}"' for each in operation["security"][:1] for name in each
    ]
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        example = next(iter(content["examples"].values()), None)
        lines += [f"-H 'Content-Type: {media_type}'"]
        lines += ["--data-binary @FILE" if example is None else f"-d {shlex.quote(json.dumps(example['value']))}"]
        break
    return " \\\n  ".join(lines)


def _folded(identity: str, summary: str, content: str) -> str:
    """Return a part that opens on a click. The id is inside, so that a link to it opens it."""
    return f'<details><summary>{summary}</summary><div id="{escape(identity)}">{content}</div></details>'


def _request(content: Mapping[str, Any]) -> str:
    examples = (
        f"<p>Example: {escape(name)}</p><pre>{escape(json.dumps(each['value'], indent=2, ensure_ascii=False))}</pre>"
        for name, each in content["examples"].items()
    )
    return f"<p>Body: {_kind(content['schema'])}</p>{''.join(examples)}"


def _answers(responses: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for status, answer in responses.items():
        bodies = [_kind(each["schema"]) for each in answer.get("content", {}).values()]
        shown = _kind(answer) if "$ref" in answer else _text(answer["description"])
        yield escape(status), shown, " or ".join(bodies)


def _webhooks(document: Mapping[str, Any]) -> Iterator[str]:
    for name, methods in document["webhooks"].items():
        event = methods["post"]
        body = event["requestBody"]["content"]["application/json"]["schema"]
        content = f"{_paragraphs(event['description'])}<p>Body: {_kind(body)}</p>"
        yield _folded(event["operationId"], f"<code>{escape(name)}</code> {_text(event['summary'])}", content)


def _models(document: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        required = schema.get("required", ())
        rows = [
            (
                f"<code>{escape(field)}</code>{' (required)' if field in required else ''}",
                _kind(each),
                _text(each.get("description", "")),
            )
            for field, each in schema.get("properties", {}).items()
        ]
        content = _table(("field", "type", "description"), rows) or f"<p>{_kind(schema)}</p>"
        described = _paragraphs(schema.get("description", ""))
        yield _folded(f"model-{name}", f"<code>{escape(name)}</code>", described + content)


def _kind(schema: Mapping[str, Any]) -> str:
    """Return the type of a value, with links to models."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        is_model = schema["$ref"].startswith("#/components/schemas/")
        return f'<a href="#model-{escape(name)}">{escape(name)}</a>' if is_model else escape(name)
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return " or ".join(_kind(each) for each in options) + _default(schema)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"<code>{escape(json.dumps(each))}</code>" for each in values) + _default(schema)
    kind = schema.get("type", "any")
    shown = escape(" or ".join(kind) if isinstance(kind, list) else kind)
    if kind == "array" and "items" in schema:
        shown = f"array of {_kind(schema['items'])}"
    elif kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        shown = f"object of {_kind(schema['additionalProperties'])}"
    limits = [f"{name} {escape(str(schema[name]))}" for name in _LIMITS if name in schema]
    return "; ".join([shown, *limits]) + _default(schema)


def _default(schema: Mapping[str, Any]) -> str:
    return f"; default <code>{escape(json.dumps(schema['default']))}</code>" if "default" in schema else ""


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    if not lines:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_text(part)}</p>" for part in text.strip().split("\n\n") if part)


def _text(text: str) -> str:
    """Escape a description; what stands between backticks is code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


# The routes of the OpenAPI document.

_OVERVIEW = """\
# Rustbox

> Run untrusted code in a sandbox, and get its result by waiting, by polling or by a signed webhook.

Send `X-API-Key: rb_live_…` or `Authorization: Bearer rb_live_…` with each request. Bodies are JSON.

- Run and wait: `POST /api/submit?wait=true` with `{"language": "python", "code": "print(6 * 7)"}` answers the result.
  Read `verdict` (`AC`: it ended with exit code 0), `stdout` and `stderr`; `?view=compact` has only what one needs.
- Run and poll: `POST /api/submit` answers 202 with `id`; `GET /api/result/{id}?wait=20` waits for the result.
- Follow the output while it runs: `GET /api/result/{id}/output?stream=stdout&after=0&wait=20`; then `after` is `next`.
- Run and be called: add `webhook_url` and `webhook_secret`; the webhook is signed as in Standard Webhooks.
- Judge one program against many cases: `POST /api/judge`.
- Run a program by a schedule or an event: `POST /api/checks`.

A repeat with the same `Idempotency-Key` header starts nothing twice. Wait `Retry-After` seconds after 429 and 503.

## Reference

- [openapi.json](api/openapi.json): every path, field, limit and error
- [API reference](docs): the same as a page
- [Languages](api/languages?detail=true): names and versions
"""
"""In the form of https://llmstxt.org."""

type Document = Annotated[dict[str, Any], Field(description="An OpenAPI document.")]


@dataclass(frozen=True, slots=True)
class DocumentRoutes:
    """The document as JSON, and as a page. `text` and `page` build them: they need all parts of the API."""

    text: Callable[[], str]
    page: Callable[[], str]

    def openapi(self, _app: Resolver) -> Response[str]:
        return Response(status_code=200, content_type="application/json", body=self.text())

    def overview(self, _app: Resolver) -> Response[str]:
        return Response(status_code=200, content_type="text/plain; charset=utf-8", body=_OVERVIEW)

    def reference(self, _app: Resolver) -> Response[str]:
        return Response(status_code=200, content_type="text/html; charset=utf-8", headers=HEADERS, body=self.page())


DOCUMENT_ROUTES: tuple[Route[DocumentRoutes], ...] = (
    Route(
        "GET /api/openapi.json",
        DocumentRoutes.openapi,
        "getOpenApi",
        "This document",
        {200: ("OpenAPI 3.1.", (Document,)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
    Route(
        "GET /openapi.json",
        DocumentRoutes.openapi,
        "getOpenApiAtRoot",
        "This document, where some tools look for it",
        {200: ("OpenAPI 3.1.", (Document,)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
    Route(
        "GET /llms.txt",
        DocumentRoutes.overview,
        "getOverview",
        "An overview of this API for language models",
        {200: ("Markdown.", ("text/plain; charset=utf-8",)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
    Route(
        "GET /docs",
        DocumentRoutes.reference,
        "getReference",
        "This document as a page",
        {200: ("HTML.", ("text/html; charset=utf-8",)), 429: THROTTLED, 500: FAILED},
        security=None,
    ),
)
