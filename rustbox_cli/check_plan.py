"""The plan of `rustbox checks apply`: the difference between checks.yaml and the service."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches, unified_diff
from typing import TYPE_CHECKING, Any

import click

from rustbox_cli.check_file import HIDDEN, WantedCheck
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rustbox_cli.api import Api


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


_TEXTS = ("code", "stdin")
_MOST_DIFF_LINES = 40
_SERVICE_DECIDES = ("spread_minutes", "muted_until")
"""Settings that a file without them leaves alone: the service derives the first, people set the second in an outage."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `action`: create, update, remove or keep. `body`: of the request. `lines`: for a person."""

    action: str
    slug: str
    check_id: str | None = None
    body: dict[str, Any] | None = None
    lines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        mark = {"create": "+", "update": "~", "remove": "-", "keep": " "}[self.action]
        return "\n".join([f"{mark} {self.action} {plain(self.slug)}", *(f"    {plain(line)}" for line in self.lines)])

    def refused(self, error: CommandError) -> CommandError:
        """Return the service's refusal of it, with its slug."""
        return CommandError(f"{self.slug}: {error.message}", ExitCode(error.exit_code))


def make_plan(
    api: Api,
    wanted: Iterable[WantedCheck],
    *,
    prune: bool,
    send_variables: bool,
) -> list[Change]:
    """Compare the file with the service. Checks that are the same are left out. Raises CommandError."""
    listed = {found["slug"]: found for found in api.items(("checks",), None, {})}
    present = {slug: found["id"] for slug, found in listed.items()}
    by_slug = {check.slug: check for check in wanted}
    changes = []
    for slug in _sources_first({check.slug: _source(check.settings) for check in by_slug.values()}):
        check = by_slug[slug]
        check_id = present.pop(check.slug, None)
        if check_id is None:
            body = {name: value for name, value in check.settings.items() if value is not None}
            lines = (f"name: {body['name']}", f"schedule: {body.get('schedule', 'none, it runs on request')}")
            changes.append(Change("create", check.slug, None, {**body, "env": check.variables}, lines))
        else:
            seen = api.call("GET", ("checks", check_id)).body
            changes += _update(check, seen, send_variables=send_variables)
    action, reason = ("remove", "not in the file") if prune else ("keep", "not in the file; --prune removes it")
    left = _sources_first({slug: _source(listed[slug]) for slug in sorted(present)})
    return [*changes, *(Change(action, slug, present[slug], None, (reason,)) for slug in reversed(left))]


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


def is_different(changes: Iterable[Change]) -> bool:
    return any(change.action != "keep" for change in changes)


def refuse_invalid(api: Api, changes: Iterable[Change]) -> None:
    """Ask the service about each check that `apply` would create or change. Raises CommandError for the first refusal.

    An older service does not answer the question: 404.
    """
    for change in changes:
        if change.body is not None:
            query = {} if change.check_id is None else {"id": change.check_id}
            try:
                api.call("POST", ("checks", "validate"), query=query, body=change.body, repeatable=True)
            except CommandError as error:
                if error.exit_code == ExitCode.NOT_FOUND:
                    return
                raise change.refused(error) from None


def apply_change(api: Api, change: Change) -> None:
    """Carry out one change. Raises CommandError."""
    body = dict(change.body or {})
    if "env" in body:
        body["env"] = {name: _value(name, text) for name, text in body["env"].items()}
    if body.get("report"):
        body["report"] = _with_token(body["report"], lambda token: _value("report.github_status.token", token))
    if change.action == "create":
        api.call("POST", ("checks",), body=body)
    elif change.action == "update":
        api.call("PATCH", ("checks", change.check_id or ""), body=body)
    elif change.action == "remove":
        api.call("DELETE", ("checks", change.check_id or ""))


def _update(check: WantedCheck, seen: dict[str, Any], *, send_variables: bool) -> list[Change]:
    body: dict[str, Any] = {}
    lines: list[str] = []
    for name, value in sorted(check.settings.items(), key=lambda item: (item[0] in _TEXTS, item[0])):
        if name in _SERVICE_DECIDES and value is None:
            continue
        before: Any = seen.get(name)
        if name == "report" and value is not None:
            hidden = _with_token(value, lambda _: HIDDEN)
            if before != hidden or send_variables:
                keeps = not send_variables and _api_url(before) == _api_url(hidden)
                body[name] = hidden if keeps else value
                lines.append(_value_line(name, before, hidden))
        elif not _is_same(name, before, value):
            body[name] = value
            lines += _text_lines(name, before, value) if name in _TEXTS else [_value_line(name, before, value)]
    known = set(seen.get("env", {}))
    if known != set(check.variables) or (send_variables and check.variables):
        body["env"] = {
            name: HIDDEN if name in known and not send_variables else text for name, text in check.variables.items()
        }
        lines.append(f"env: {_names(known)} → {_names(check.variables)}")
    return [Change("update", check.slug, seen["id"], body, tuple(lines))] if body else []


def _is_same(name: str, before: Any, value: Any) -> bool:
    if name == "muted_until" and before and value:
        return datetime.fromisoformat(_offset(before)) == datetime.fromisoformat(_offset(value))
    return bool(before == value)


def _offset(moment: str) -> str:
    return moment.replace("Z", "+00:00").replace("z", "+00:00")  # Python 3.10 does not read Z


def _value(name: str, text: str) -> str:
    """Return the value of a variable: `$NAME` is taken from our environment, `$$` is a dollar sign."""
    if text.startswith("$$") or not text.startswith("$"):
        return text.replace("$$", "$", 1) if text.startswith("$$") else text
    if text[1:] not in os.environ:
        raise CommandError(f"The variable {name} needs {text[1:]} in the environment.", ExitCode.CONFIGURATION)
    return os.environ[text[1:]]


def _with_token(report: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
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


def _value_line(name: str, before: Any, after: Any) -> str:
    return f"{name}: {_shown(before)} → {_shown(after)}"


def _names(variables: Iterable[str]) -> str:
    return ", ".join(sorted(variables)) or "none"


def _shown(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
