"""The differences between the checks of a file and those of the service, and what a change of a project is."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches, unified_diff
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain
from rustbox_cli.project.file import HIDDEN, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from rustbox_cli.api import Api
    from rustbox_cli.project.file import WantedCheck


# A check of the service by its slug.

slug_argument = click.argument("slug")


def find_check(api: Api, slug: str) -> dict[str, Any]:
    """Return the check with a slug. Raises CommandError, with the slug that was meant."""
    found: dict[str, Any] | None = next(iter(api.items(("checks",), 1, {"slug": slug})), None)
    if found is not None:
        return found
    known = [each["slug"] for each in api.items(("checks",), None, {})]
    close = get_close_matches(slug, known, 1)
    hint = f"Did you mean {plain(close[0])}?" if close else "`rustbox checks list` shows all."
    raise CommandError(f"The project has no check {slug}.", ExitCode.NOT_FOUND, hint)


# Other parts of the service, by what a file calls them.

_CHATS = ("slack", "discord", "teams")


def status_page(api: Api) -> dict[str, Any]:
    """Return the status page; {} without one. Raises CommandError."""
    try:
        page: dict[str, Any] = api.call("GET", ("status-page",)).body
    except CommandError as error:
        if error.exit_code == ExitCode.NOT_FOUND:
            return {}
        raise
    return page


def has_secret_url(endpoint: dict[str, Any]) -> bool:
    """Whether the URL of an endpoint may be a credential."""
    return endpoint["format"] in _CHATS or "?" in endpoint["url"]


def refuse_unnamed(listed: list[dict[str, Any]]) -> None:
    """Raise CommandError for endpoints of the service that nothing identifies in a file."""
    names = [name_of(each) for each in listed]
    for endpoint, name in zip(listed, names, strict=True):
        if names.count(name) > 1 or (has_secret_url(endpoint) and not endpoint["description"]):
            text = f"Nothing identifies the endpoint {endpoint['id']} in a file: its description must, and be its own."
            raise CommandError(text, ExitCode.REFUSED, f"`rustbox webhooks update {endpoint['id']} --description TEXT`")


# A change of a project, and the values in it that are known when it is made.


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """A value that the file may take from the environment: `$NAME`; `$$` is a dollar sign. `label`: its setting."""

    label: str
    text: str

    @property
    def variable(self) -> str | None:
        """The variable that it needs."""
        return self.text[1:] if self.text.startswith("$") and not self.text.startswith("$$") else None

    @property
    def is_missing(self) -> bool:
        return self.variable is not None and self.variable not in os.environ

    def value(self) -> str:
        """Return the value; the text itself while the variable is missing."""
        if self.variable is not None:
            return os.environ.get(self.variable, self.text)
        return self.text[1:] if self.text.startswith("$$") else self.text


@dataclass(frozen=True, slots=True)
class EndpointNamed:
    """The id of an endpoint that the same plan creates."""

    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One difference.

    `action`: create, update, remove or keep. `kind`: check, endpoint, … `body`: of the request, with values of the
    environment still to be filled in. `send`: makes it, of the filled body. `lines`: for a person.
    """

    action: str
    kind: str
    name: str
    lines: tuple[str, ...] = ()
    body: Any = field(default=None, repr=False)
    send: Callable[[Any], Any] = lambda _: None

    @property
    def label(self) -> str:
        return plain(self.kind if self.name == "" else f"{self.kind} {self.name}")

    @property
    def text(self) -> str:
        mark = {"create": "+", "update": "~", "remove": "-", "keep": " "}[self.action]
        return "\n".join([f"{mark} {self.action} {self.label}", *(f"    {plain(line)}" for line in self.lines)])

    def refused(self, error: CommandError, hint: str = "") -> CommandError:
        """Return a refusal of it, with its name."""
        return CommandError(plain(f"{self.label}: {error.message}"), ExitCode(error.exit_code), hint)


def leaves(body: Any) -> Iterator[Any]:
    """Yield the values of a body that are no objects and no lists."""
    if isinstance(body, dict | list):
        for each in body.values() if isinstance(body, dict) else body:
            yield from leaves(each)
    else:
        yield body


def filled(body: Any, ids: Mapping[str, str]) -> Any:
    """Return a body with the values of the environment. `ids`: of endpoints by name; unknown ones are left out."""
    if isinstance(body, dict):
        return {name: filled(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        known = (each for each in body if not isinstance(each, EndpointNamed) or each.name in ids)
        return [filled(each, ids) for each in known]
    if isinstance(body, EndpointNamed):
        return ids[body.name]
    return body.value() if isinstance(body, FromEnvironment) else body


# The differences of checks.

_TEXTS = ("code", "stdin")
_MOST_DIFF_LINES = 40
_SERVICE_DECIDES = ("spread_minutes", "muted_until")
"""Settings that a file without them leaves alone: the service derives the first, people set the second in an outage."""


class CheckPlan:
    """Compares the checks of a file with those of the service. All raise CommandError."""

    def __init__(self, api: Api, *, send_env: bool) -> None:
        self._api, self._send_env = api, send_env
        self.listed = {found["slug"]: found for found in api.items(("checks",), None, {})}

    def changes(self, wanted: Iterable[WantedCheck]) -> list[Change]:
        """Return the checks to create and to change, each after the one that it follows."""
        by_slug = {check.slug: check for check in wanted}
        order = _sources_first({check.slug: _source(check.settings) for check in by_slug.values()})
        return [change for slug in order for change in self._changes(by_slug[slug])]

    def removed(self, wanted: Iterable[WantedCheck], *, prune: bool) -> list[Change]:
        """Return the checks that are not in the file, each before the one that it follows."""
        left = self.listed.keys() - {check.slug for check in wanted}
        order = _sources_first({slug: _source(self.listed[slug]) for slug in sorted(left)})
        return [
            unlisted("check", slug, ("checks", self.listed[slug]["id"]), self._api, prune) for slug in reversed(order)
        ]

    def question(self, change: Change, ids: Mapping[str, str]) -> None:
        """Ask the service whether it would refuse a change."""
        query = {"id": self.listed[change.name]["id"]} if change.action == "update" else {}
        body = filled(change.body, ids)
        self._api.call("POST", ("checks", "validate"), query=query, body=body, repeatable=True)

    def _changes(self, check: WantedCheck) -> list[Change]:
        if check.slug in self.listed:
            return self._update(check, self.listed[check.slug]["id"])
        body = {name: value for name, value in check.settings.items() if value is not None}
        lines = (f"name: {body['name']}", f"schedule: {body.get('schedule', 'none, it runs on request')}")
        body |= {"env": _variables(check)}
        if "report" in body:
            body["report"] = _with_token(body["report"], _token)
        return [Change("create", "check", check.slug, lines, body, partial(self._send, "POST", ()))]

    def _send(self, method: str, path: tuple[str, ...], body: Any) -> Any:
        return self._api.call(method, ("checks", *path), body=body).body

    def _update(self, check: WantedCheck, check_id: str) -> list[Change]:
        seen = self._api.call("GET", ("checks", check_id)).body
        body: dict[str, Any] = {}
        lines: list[str] = []
        for name, value in sorted(check.settings.items(), key=lambda item: (item[0] in _TEXTS, item[0])):
            if name in _SERVICE_DECIDES and value is None:
                continue
            before: Any = seen.get(name)
            if name == "report" and value is not None:
                hidden = _with_token(value, lambda _: HIDDEN)
                if before != hidden or self._send_env:
                    keeps = not self._send_env and _api_url(before) == _api_url(hidden)
                    body[name] = hidden if keeps else _with_token(value, _token)
                    lines.append(value_line(name, before, hidden))
            elif not _is_same(name, before, value):
                body[name] = value
                lines += _text_lines(name, before, value) if name in _TEXTS else [value_line(name, before, value)]
        variables, line = sealed("env", seen.get("env", {}), _variables(check), send_env=self._send_env)
        if line:
            body["env"] = variables
            lines.append(line)
        return (
            [Change("update", "check", check.slug, tuple(lines), body, partial(self._send, "PATCH", (check_id,)))]
            if body
            else []
        )


def unlisted(kind: str, name: str, path: tuple[str, ...], api: Api, prune: bool) -> Change:
    """Return what happens to a thing of the service that is not in the file."""
    if not prune:
        return Change("keep", kind, name, ("not in the file; --prune removes it",))
    return Change("remove", kind, name, ("not in the file",), send=lambda _: _remove(api, path))


def _remove(api: Api, path: tuple[str, ...]) -> None:
    """Remove a thing. It may be gone: a request whose answer was lost is repeated."""
    try:
        api.call("DELETE", path)
    except CommandError as error:
        if error.exit_code != ExitCode.NOT_FOUND:
            raise


def sealed(
    name: str, seen: Iterable[str], wanted: dict[str, FromEnvironment], *, send_env: bool
) -> tuple[dict[str, Any], str]:
    """Return the values of a setting whose values the service does not show, and the line of their change or "".

    Only names are compared. Values that the service has stay, unless all are sent again.
    """
    known = set(seen)
    if known == set(wanted) and not (send_env and wanted):
        return {}, ""
    values = {each: HIDDEN if each in known and not send_env else value for each, value in wanted.items()}
    return values, f"{name}: {_names(known)} → {_names(wanted)}"


def _source(settings: dict[str, Any]) -> str | None:
    return (settings.get("trigger") or {}).get("slug")


def _sources_first(sources: dict[str, str | None]) -> list[str]:
    """Return the slugs so that each check comes after the one that it follows; otherwise in their order.

    The service refuses a loop, and says which; here it has no effect.
    """
    placed: dict[str, None] = {}
    for first in sources:
        chain: list[str] = []
        slug: str | None = first
        while slug in sources and slug not in placed and slug not in chain:
            chain.append(slug)
            slug = sources[slug]
        placed.update(dict.fromkeys(reversed(chain)))
    return list(placed)


def _variables(check: WantedCheck) -> dict[str, FromEnvironment]:
    return {name: FromEnvironment(f"env.{name}", text) for name, text in check.variables.items()}


def _token(text: str) -> FromEnvironment:
    return FromEnvironment("report.github_status.token", text)


def _is_same(name: str, before: Any, value: Any) -> bool:
    if name == "muted_until" and before and value:
        return datetime.fromisoformat(_offset(before)) == datetime.fromisoformat(_offset(value))
    if name == "files":
        return _without_defaults(before) == _without_defaults(value)
    return bool(before == value)


def _without_defaults(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in file.items() if value not in (None, False)} for file in files]


def _offset(moment: str) -> str:
    return moment.replace("Z", "+00:00").replace("z", "+00:00")  # Python 3.10 does not read Z


def _with_token(report: dict[str, Any], change: Callable[[str], Any]) -> dict[str, Any]:
    """Return a report with another token. The service does not show it."""
    status = report["github_status"]
    return {**report, "github_status": {**status, "token": change(status["token"])}}


def _api_url(report: dict[str, Any] | None) -> Any:
    """Return the address that a stored token is for; False without one."""
    return False if report is None else report["github_status"].get("api_url")


def _text_lines(name: str, before: str, after: str) -> list[str]:
    found = list(unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))[2:]
    more = [f"  … {len(found) - _MOST_DIFF_LINES} more lines"] if len(found) > _MOST_DIFF_LINES else []
    return [f"{name}:", *(f"  {line}" for line in found[:_MOST_DIFF_LINES] or ["differs in line ends"]), *more]


def value_line(name: str, before: Any, after: Any) -> str:
    return f"{name}: {_shown(before)} → {_shown(after)}"


def _names(variables: Iterable[str]) -> str:
    return ", ".join(sorted(variables)) or "none"


def _shown(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False, default=lambda endpoint: endpoint.name)
