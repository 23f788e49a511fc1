"""The plan of `rustbox apply`: what it would change of a project, and what the service would refuse."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from rustbox_cli.api import Answer
from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain
from rustbox_cli.problem_cases import MAX_STORED_CASES, CaseFolder, push, read_case_folder
from rustbox_cli.program_input import project_schema
from rustbox_cli.project.checks import (
    Change,
    CheckPlan,
    EndpointNamed,
    FromEnvironment,
    filled,
    leaves,
    refuse_unnamed,
    sealed,
    status_page,
    unlisted,
)
from rustbox_cli.project.checks import value_line as line_of
from rustbox_cli.project.file import WantedCheck, WantedProject, name_of, normal_host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rustbox_cli.api import Api

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SOME_KEY = "0" * 32
"""A routing key that the service takes, while the environment has none."""
_MIB = 1024 * 1024
_SETTINGS_APPLY_SECS = 4
"""The service keeps a project's settings for up to three seconds."""
_PAUSE_SECS = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """`prune`: remove what is not in the file. `send_env`: send values that the service does not show again.

    `project_id`: of the project, whose own settings the administrator's key changes; None: they are left alone.
    """

    prune: bool = False
    send_env: bool = False
    project_id: str | None = None


@dataclass(slots=True)
class Plan:
    """Changes in their order, and refusals of the service. `ids`: of endpoints by name.

    `has_hidden_values`: the file has values that are not compared, because the service does not show them.
    """

    has_hidden_values: bool
    changes: list[Change] = field(default_factory=list)
    refusals: list[CommandError] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def due(self) -> list[Change]:
        """The changes without things that are kept."""
        return [change for change in self.changes if change.action != "keep"]

    @property
    def kept(self) -> list[Change]:
        """The things that the file does not have, without `prune`."""
        return [change for change in self.changes if change.action == "keep"]

    def refuse(self) -> None:
        """Raise CommandError if the service would refuse something."""
        if self.refusals:
            text = "\n".join(error.message for error in self.refusals)
            raise CommandError(text, ExitCode(self.refusals[0].exit_code))

    def apply(self, tell: Callable[[Change], None]) -> None:
        """Make the changes; `tell` is called after each. Raises CommandError, before the first one where possible."""
        self.refuse()
        for change in self.due:
            for value in leaves(change.body):
                if isinstance(value, FromEnvironment) and value.is_missing:
                    text = f"{value.label} needs {value.variable} in the environment."
                    raise change.refused(CommandError(text, ExitCode.CONFIGURATION))
        until = 0.0
        for number, change in enumerate(self.due):
            try:
                made = self._send(change, until)
            except CommandError as error:
                hint = f"{number} of {len(self.due)} changes are made. Repeat the command: it makes the others."
                raise change.refused(error, hint if number else "") from None
            if change.kind == "project":
                until = monotonic() + _SETTINGS_APPLY_SECS
            if change.kind == "endpoint" and change.action == "create":
                self.ids[change.name] = made["id"]
            tell(change)

    def _send(self, change: Change, until: float) -> Any:
        """Make a change. `until`: when hosts and quotas of the same plan apply everywhere; before, try again."""
        while True:
            try:
                return change.send(filled(change.body, self.ids))
            except CommandError as error:
                if error.exit_code not in {ExitCode.NO_PERMISSION, ExitCode.BUSY} or monotonic() > until:
                    raise
            sleep(_PAUSE_SECS)


def make_plan(api: Api, wanted: WantedProject, options: Options) -> Plan:
    """Compare a file with the service, and ask the service about each change. Raises CommandError."""
    return _Planner(api, wanted, options).plan()


class _Planner:
    """Compares each part that the file has."""

    def __init__(self, api: Api, wanted: WantedProject, options: Options) -> None:
        self._api, self._wanted, self._options = api, wanted, options
        has_hidden = any(check.variables for check in wanted.checks or ())
        has_hidden |= bool(wanted.secrets)
        has_hidden |= any("$" in json.dumps(settings) for settings in wanted.endpoints or ())
        self._plan, self._removed = Plan(has_hidden), list[Change]()
        self._changed: dict[str, Any] = {}
        """Settings of the project that the plan changes. With other hosts, a 403 of today says nothing of a check."""

    def plan(self) -> Plan:
        wanted = self._wanted
        if wanted.project is not None and self._options.project_id is not None:
            self._project(wanted.project, ("projects", self._options.project_id))
        if wanted.secrets is not None:
            self._secrets(wanted.secrets)
        if wanted.quiet_times is not None:
            self._quiet_times(wanted.quiet_times)
        names = (name for check in wanted.checks or () for name in check.settings["notify"])
        if wanted.endpoints is not None or not all(map(_UUID.fullmatch, names)):
            self._endpoints(wanted.endpoints)
        if wanted.problems is not None:
            self._problems(wanted.problems)
        if wanted.checks is not None:
            self._checks(wanted.checks)
        if wanted.status_page is not None:
            self._status_page(wanted.status_page)
        self._plan.changes += reversed(self._removed)
        return self._plan

    def _ask(self, change: Change, question: Callable[[], Any]) -> Any:
        """Return the answer of the service to a question about a change; None: it would refuse the change."""
        try:
            return question()
        except CommandError as error:
            if error.exit_code == ExitCode.NOT_FOUND:
                text = "the service cannot compare it. Is it older than this command?"
                raise change.refused(CommandError(text, ExitCode.REFUSED)) from None
            if error.exit_code != ExitCode.NO_PERMISSION or "network" not in self._changed:
                self._plan.refusals.append(change.refused(error))
            return None

    def _leave(self, kind: str, names: list[str], path_of: Callable[[str], tuple[str, ...]]) -> None:
        for each in reversed(names):
            self._removed.append(unlisted(kind, each, path_of(each), self._api, self._options.prune))

    def _limit(self, part: str, change: Change, known: int, new: int, most: int) -> None:
        if new and known + new > most:
            text = f"a project has at most {most:,} {part}; with those of the file it has {known + new:,}."
            self._plan.refusals.append(change.refused(CommandError(text, ExitCode.REFUSED)))

    # The project's own settings: hosts, quotas.

    def _project(self, wanted: dict[str, Any], path: tuple[str, ...]) -> None:
        seen = self._api.call("GET", path, key="X-Admin-Key").body
        body, lines = _difference(seen, _normal_hosts(wanted))
        if body:
            self._changed = body
            send = partial(_call, self._api, "PATCH", path, key="X-Admin-Key")
            self._plan.changes.append(Change("update", "project", "", tuple(lines), body, send))

    # Secrets, before the checks that name them. A value is bound to its rules, so other rules need it again.

    def _secrets(self, wanted: dict[str, dict[str, Any]]) -> None:
        listed = {each["name"]: each for each in self._api.items(("secrets",), None, {})}
        new = list[Change]()
        for name, settings in wanted.items():
            seen, body = listed.get(name, {}), {**settings, "value": FromEnvironment("value", settings["value"])}
            rules = [each for each in ("as", "host", "methods", "paths") if seen.get(each, []) != settings[each]]
            lines = [line_of(each, seen.get(each), settings[each]) for each in rules]
            lines += ["value: sent again"] if seen and (rules or self._options.send_env) else []
            if lines:
                send = partial(_call, self._api, "PUT", ("secrets", name))
                change = Change("update" if seen else "create", "secret", name, tuple(lines), body, send)
                self._plan.changes.append(change)
                new += [] if seen else [change]
        if new:
            most = project_schema()["properties"]["secrets"]["maxProperties"]
            self._limit("secrets", new[-1], len(listed), len(new), most)
        self._leave("secret", sorted(listed.keys() - wanted.keys()), lambda name: ("secrets", name))

    def _quiet_times(self, wanted: dict[str, Any]) -> None:
        seen = self._api.call("GET", ("quiet-times",)).body["tags"]
        tags = wanted if self._options.prune else {**seen, **wanted}
        lines = [
            line_of(tag, seen.get(tag), tags.get(tag)) for tag in sorted(seen | tags) if seen.get(tag) != tags.get(tag)
        ]
        if lines:
            send = partial(_call, self._api, "PUT", ("quiet-times",))
            self._plan.changes.append(Change("update", "quiet times", "", tuple(lines), {"tags": tags}, send))

    # Endpoints. The service itself says what settings would be stored, so that no rule of it is written twice.

    def _endpoints(self, wanted: list[dict[str, Any]] | None) -> None:
        listed = list(self._api.items(("webhooks",), None, {}))
        known = {name_of(each): each for each in listed}
        self._plan.ids |= {name: each["id"] for name, each in known.items()}
        if wanted is None:
            return
        refuse_unnamed(listed)
        for settings in wanted:
            if name_of(settings) in known:
                self._update_endpoint(settings, known[name_of(settings)])
            else:
                self._create_endpoint(settings, sorted(self._plan.ids.values()))
        made = [change for change in self._plan.changes if (change.kind, change.action) == ("endpoint", "create")]
        schema = project_schema()["properties"]["endpoints"]
        if made:
            ordered = sum(each["ordered"] for each in listed), sum(change.body["ordered"] for change in made)
            self._limit("endpoints", made[-1], len(listed), len(made), schema["maxItems"])
            self._limit("ordered endpoints", made[-1], *ordered, schema["x-max-ordered"])
        left = sorted(known.keys() - {name_of(each) for each in wanted})
        self._leave("endpoint", left, lambda name: ("webhooks", known[name]["id"]))

    def _create_endpoint(self, settings: dict[str, Any], present: list[str]) -> None:
        body = _with_secrets(settings)
        lines = [f"url: {_shown_url(settings['url'])}", f"events: {', '.join(settings['events']) or 'all'}"]
        if "secret" not in body:
            lines.append("secret: a new one, which `rustbox webhooks rotate` replaces and shows")
        # The same key for the same step: a repeat whose first request is still under way makes no second endpoint.
        key = sha256(json.dumps([settings, present], sort_keys=True).encode()).hexdigest()
        change = Change("create", "endpoint", name_of(settings), tuple(lines), body, partial(self._send_endpoint, key))
        self._plan.changes.append(change)
        if not any(isinstance(each, FromEnvironment) and each.is_missing for each in leaves(body)):
            self._ask(change, partial(self._validate_endpoint, body))

    def _send_endpoint(self, key: str, body: Any) -> Any:
        try:
            return self._api.call("POST", ("webhooks",), body=body, idempotency_key=key).body
        except CommandError as error:
            if error.exit_code != ExitCode.REFUSED:
                raise
        # The key belongs to an endpoint that was deleted meanwhile. Another reason refuses this one too.
        return self._api.call("POST", ("webhooks",), body=body, idempotency_key=str(uuid.uuid4())).body

    def _update_endpoint(self, settings: dict[str, Any], seen: dict[str, Any]) -> None:
        send_env, asked = self._options.send_env, _with_secrets(settings)
        headers, line = sealed("headers", seen["headers"], asked.pop("headers"), send_env=send_env)
        sent, lines = ({"headers": headers}, [line]) if line else ({}, list[str]())
        if asked["url"].variable is not None:
            sent |= {"url": asked["url"]} if send_env else {}
            lines += ["url: sent again"] if send_env else []
            del asked["url"]
        key, secret = asked.pop("routing_key", None), asked.pop("secret", None)
        if key is not None and (send_env or not seen["routing_key"]):
            sent["routing_key"] = key
            lines.append("routing_key: sent again" if seen["routing_key"] else "routing_key: none → ***")
        path = ("webhooks", seen["id"])
        change = Change("update", "endpoint", name_of(settings), send=partial(_call, self._api, "PATCH", path))
        question = {**asked, **{name: value for name, value in sent.items() if name != "url"}}
        if key is not None and key.is_missing and "routing_key" in question:
            question["routing_key"] = _SOME_KEY
        after = self._ask(change, partial(self._validate_endpoint, question, seen["id"]))
        for name in sorted(asked) if after is not None else ():
            if seen[name] != after[name]:
                sent[name] = asked[name]
                shown = _shown_url if name == "url" else _as_it_is
                lines.append(line_of(name, shown(seen[name]), shown(after[name])))
        if sent or after is None:
            self._plan.changes.append(replace(change, lines=tuple(lines), body=sent))
        if secret is not None and send_env:
            send = partial(_call, self._api, "POST", (*path, "rotate"), repeatable=True)
            body = {"secret": secret}
            self._plan.changes.append(replace(change, lines=("secret: sent again",), body=body, send=send))

    def _validate_endpoint(self, body: dict[str, Any], endpoint_id: str | None = None) -> Any:
        query = {} if endpoint_id is None else {"id": endpoint_id}
        path = ("webhooks", "validate")
        return self._api.call("POST", path, query=query, body=filled(body, {}), repeatable=True).body

    # Problems. The service compares them: it shows no part of a case.

    def _problems(self, wanted: dict[str, Path]) -> None:
        known = {each["id"]: each["version"] for each in self._api.items(("problems",), None, {})}
        missing: dict[str, int] = {}
        change = None
        for name, folder in wanted.items():
            cases = read_case_folder(folder, read=lambda path: path, most_cases=MAX_STORED_CASES)
            trial, send = _TrialPush(self._api), partial(self._push, name, cases)
            change = Change("update" if name in known else "create", "problem", name, send=send)
            answer = self._ask(change, partial(push, cast("Api", trial), name, cases, _tell_nobody))
            if answer is None or not answer[0]["is_last"]:
                valid: dict[str, Any] = {"missing": (), "version": None} if answer is None else answer[0]
                missing |= {one: trial.files[one] for one in valid["missing"]}
                version = line_of("version", known.get(name), valid["version"])
                counts = f"cases: {len(cases.cases)}, files to send: {len(valid['missing'])}"
                self._plan.changes.append(replace(change, lines=(version, counts)))
        if change is not None and missing:
            files = self._api.call("GET", ("files",), query={"limit": "1"}).body
            limit = self._changed.get("files_mb", files["limit_bytes"] / _MIB) * _MIB
            needed, left = sum(missing.values()) / _MIB, (limit - files["used_bytes"]) / _MIB
            if needed > left:
                text = f"the files need {needed:.1f} MiB more, and the project's quota has {left:.1f} left."
                self._plan.refusals.append(change.refused(CommandError(text, ExitCode.BUSY)))
        self._leave("problem", sorted(known.keys() - wanted.keys()), lambda name: ("problems", name))

    def _push(self, name: str, cases: CaseFolder, _body: Any) -> Any:
        return push(self._api, name, cases, _tell_nobody)

    def _checks(self, wanted: list[WantedCheck]) -> None:
        checks = CheckPlan(self._api, send_env=self._options.send_env)
        most = project_schema()["properties"]["checks"]["maxItems"]
        changes = checks.changes([self._notifying(check) for check in wanted])
        known = checks.listed.keys() | {check.slug for check in wanted}
        for change in changes:
            self._plan.changes.append(change)
            self._ask(change, partial(checks.question, change, self._plan.ids))
            self._refuse_unknown(change, {*filter(None, [(change.body.get("trigger") or {}).get("slug")])} - known)
        new = [change for change in changes if change.action == "create"]
        if new:
            self._limit("checks", new[-1], len(checks.listed), len(new), most)
        self._removed += reversed(checks.removed(wanted, prune=self._options.prune))

    def _notifying(self, check: WantedCheck) -> WantedCheck:
        """Return a check with ids of endpoints in place of their names."""
        new = {change.name for change in self._plan.changes if change.kind == "endpoint"}
        notify: list[Any] = []
        for name in check.settings["notify"]:
            if name in self._plan.ids or _UUID.fullmatch(name):
                notify.append(self._plan.ids.get(name, name))
            elif name in new:
                notify.append(EndpointNamed(name))
            else:
                text = f"check {check.slug}: notify: neither the file nor the project has an endpoint {name}."
                self._plan.refusals.append(CommandError(plain(text), ExitCode.REFUSED))
        return replace(check, settings={**check.settings, "notify": notify})

    def _status_page(self, wanted: dict[str, Any]) -> None:
        path, seen = ("status-page",), status_page(self._api)
        if not wanted:
            self._leave("status page", [""] if seen else [], lambda _: path)
            return
        lines = [
            line_of(name, seen.get(name), wanted[name]) for name in sorted(wanted) if seen.get(name) != wanted[name]
        ]
        if lines:
            send = partial(_call, self._api, "PUT", path)
            change = Change("update" if seen else "create", "status page", "", tuple(lines), wanted, send)
            self._plan.changes.append(change)
            unknown = set(wanted["checks"]) - {check.slug for check in self._wanted.checks or ()}
            unknown -= {each["slug"] for each in self._api.items(("checks",), None, {})} if unknown else set()
            self._refuse_unknown(change, unknown)

    def _refuse_unknown(self, change: Change, slugs: set[str]) -> None:
        if slugs:
            text = f"neither the file nor the project has the check {', '.join(sorted(slugs))}."
            self._plan.refusals.append(change.refused(CommandError(text, ExitCode.REFUSED)))


class _TrialPush:
    """In place of `Api` in a push: no file is stored, and the problem is only validated. `files`: their sizes."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.files: dict[str, int] = {}

    def call(self, method: str, path: tuple[str, ...], *, body: Any, repeatable: bool) -> Answer:
        if path != ("files",):
            return self._api.call(method, (*path, "validate"), body=body, repeatable=repeatable)
        self.files[body["sha256"]] = body["size"]
        return Answer(200, json.dumps({"id": body["sha256"], "exists": True}).encode())


def _tell_nobody(_stored: int, _files: int) -> None:
    """Show no progress."""


def _call(api: Api, method: str, path: tuple[str, ...], body: Any, **more: Any) -> Any:
    return api.call(method, path, body=body, **more).body


def _with_secrets(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of an endpoint with those values marked that the environment may have."""
    names = [name for name in ("url", "routing_key", "secret") if name in settings]
    headers = {name.lower(): FromEnvironment(f"headers.{name}", text) for name, text in settings["headers"].items()}
    return {**settings, "headers": headers, **{name: FromEnvironment(name, settings[name]) for name in names}}


def _as_it_is(value: Any) -> Any:
    return value


def _shown_url(url: str) -> str:
    """Return the host of a URL: its path or its query may be a credential."""
    parts = urlsplit(url)
    return url if url.startswith("$") or parts.scheme == "mailto" else f"{parts.scheme}://{parts.hostname}/…"


def _normal_hosts(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a project with its hosts as the service stores them: `name:port`, in their order."""
    allow = wanted.get("network", {}).get("allow")
    if allow is None:
        return wanted
    in_order = sorted(
        {normal_host(each) for each in allow}, key=lambda entry: (entry.partition(":")[0], int(entry.partition(":")[2]))
    )
    return {**wanted, "network": {**wanted["network"], "allow": in_order}}


def _difference(seen: dict[str, Any], wanted: dict[str, Any], place: str = "") -> tuple[dict[str, Any], list[str]]:
    """Return the settings that differ, and their lines. Objects are compared setting by setting."""
    body: dict[str, Any] = {}
    lines: list[str] = []
    for name, value in wanted.items():
        if isinstance(value, dict):
            inner, more = _difference(seen[name], value, f"{place}{name}.")
            body |= {name: inner} if inner else {}
            lines += more
        elif seen[name] != value:
            body[name] = value
            lines.append(line_of(place + name, seen[name], value))
    return body, lines
