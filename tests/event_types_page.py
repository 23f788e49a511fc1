"""Write docs/event-types.md from the catalogue: `python -m tests.event_types_page > docs/event-types.md`."""

from typing import Any

from functions.events.catalogue import catalogue

_HEAD = """\
# Event types

`GET /api/event-types` answers this page as JSON, with a schema and an example of each.
[Webhooks](webhooks.md) and [events](events.md) say how to get events.
Each event has `type` and `timestamp`. The types of fields are in the schema.
`python -m tests.event_types_page` wrote this page: change the models instead.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *(_section(item) for item in catalogue())])


def _section(item: dict[str, Any]) -> str:
    schema = item["schema"]
    fields = {name: field for name, field in schema["properties"].items() if name not in {"type", "timestamp"}}
    plain = ", ".join(f"`{name}`" for name, field in fields.items() if not _text(field))
    explained = [f"* `{name}`: {_text(field)}" for name, field in fields.items() if _text(field)]
    return "\n".join(
        [f"## {item['type']}", "", f"{item['description']}.", *(["", f"{plain}."] if plain else []), "", *explained, ""]
    )


def _text(field: dict[str, Any]) -> str:
    return str(field.get("description", "")).replace("\n", " ").replace("<", "&lt;")


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the output of a command
