"""Write a project as project.yaml: what `rustbox apply` takes to make an equal one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.program_input import project_schema
from rustbox_cli.project.checks import has_secret_url, refuse_unnamed, status_page
from rustbox_cli.project.file import name_of, only_of_programs

if TYPE_CHECKING:
    from pathlib import Path

    from rustbox_cli.api import Api

_SIGNED = ("event", "cloudevents", "cloudevents_structured")
_SLUG = re.compile(r"[a-z0-9-]{1,64}")
_PROJECT = ("name", "profiles", "quotas", "network", "files_mb")
_BEGINNING = "# `rustbox checks schema` prints the schema of this file, for editors.\n"


@dataclass(slots=True)
class Written:
    """The written files, the variables that `apply` needs, and what the file does not have."""

    paths: list[Path] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def variable(self, *parts: str) -> str:
        """Return `$NAME` with a name of these words. Each secret has its own: two may have different values."""
        name = re.sub(r"[^A-Z0-9]+", "_", "_".join(parts).upper()).strip("_")
        name = f"_{name}" if name[:1].isdecimal() else name
        while name in self.variables:
            name += "_2"
        self.variables.append(name)
        return f"${name}"


def write_project(api: Api, path: Path, project_id: str | None) -> Written:
    """Write the file, and programs into a folder of its name. Raises CommandError, before it writes over a file."""
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - other commands start faster without it

    written, folder = Written(), path.with_suffix("")
    if folder == path:
        raise CommandError(f"{path} needs an ending, such as .yaml.", ExitCode.USAGE)
    for each in (path, folder):
        if each.exists():
            raise CommandError(f"{each} is there already.", ExitCode.REFUSED, "Name another FILE.")
    whole: dict[str, Any] = {}
    if project_id is not None:
        seen = api.call("GET", ("projects", project_id), key="X-Admin-Key").body
        whole["project"] = {name: seen[name] for name in _PROJECT}
        if seen["network"]["access"] != "listed":
            del whole["project"]["network"]["allow"]
    secrets = api.items(("secrets",), None, {})
    whole["secrets"] = {each["name"]: _secret(each, written) for each in secrets}
    whole["quiet_times"] = api.call("GET", ("quiet-times",)).body["tags"]
    endpoints = list(api.items(("webhooks",), None, {}))[::-1]
    refuse_unnamed(endpoints)
    whole["endpoints"] = [_endpoint(each, written) for each in endpoints]
    names = {each["id"]: name_of(each) for each in endpoints}
    programs: dict[Path, str] = {}
    listed = list(api.items(("checks",), None, {}))[::-1]
    whole["checks"] = [
        _check(api.call("GET", ("checks", each["id"])).body, names, folder, programs, written) for each in listed
    ]
    whole["status_page"] = {name: part for name, part in status_page(api).items() if name != "url"}
    problems = [each["id"] for each in api.items(("problems",), None, {})]
    if problems:
        text = f"the service shows no part of a case, so these problems are not written: {', '.join(problems)}."
        written.notes.append(f"{text} Add `problems: FOLDER` with the folder that you pushed them from.")
    text = yaml.safe_dump({name: part for name, part in whole.items() if part}, sort_keys=False, allow_unicode=True)
    folder.mkdir(parents=True)
    for place, program in {**programs, path: _BEGINNING + text}.items():
        with place.open("x", encoding="utf-8", newline="") as file:
            file.write(program)
        written.paths.append(place)
    return written


def _changed(settings: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a model that have not their defaults."""
    fields = model["properties"]
    return {
        name: settings[name]
        for name in fields
        if settings.get(name, fields[name].get("default")) != fields[name].get("default")
    }


def _secret(seen: dict[str, Any], written: Written) -> dict[str, Any]:
    """Return a secret as the file has it."""
    rules = _changed(seen, project_schema()["$defs"]["Secret"])
    return {"value": written.variable("secret", seen["name"]), **rules}


def _endpoint(seen: dict[str, Any], written: Written) -> dict[str, Any]:
    """Return an endpoint as the file has it."""
    filters = {name: value for name, value in seen["filters"].items() if value}
    written_by = seen.get("transform") or {}
    model = project_schema()["$defs"]["Endpoint"]
    found = _changed({**seen, "filters": filters, "transform": written_by}, model)
    word = seen["description"] or urlsplit(seen["url"]).hostname or "endpoint"
    if seen["enabled"]:
        del found["enabled"]
    if has_secret_url(seen):
        found["url"] = written.variable(word, "url")
    found |= {"headers": {name: written.variable(word, name) for name in seen["headers"]}} if seen["headers"] else {}
    found |= {"routing_key": written.variable(word, "routing_key")} if seen["routing_key"] else {}
    return found | ({"secret": written.variable(word, "secret")} if seen["format"] in _SIGNED else {})


def _check(
    seen: dict[str, Any], names: dict[str, str], folder: Path, programs: dict[Path, str], written: Written
) -> dict[str, Any]:
    """Return a check as the file has it, and add its program to `programs`."""
    slug = seen["slug"]
    if not _SLUG.fullmatch(slug):
        raise CommandError("The service has a check without a valid slug.", ExitCode.FAULT)
    model = project_schema()["$defs"]["Check"]
    found = {"slug": slug, **_changed(seen, model)}
    found["notify"] = [names[each] for each in seen["notify"] if each in names]
    found["env"] = {name: written.variable(slug, name) for name in seen["env"]}
    if seen["report"] is not None:
        status = {**seen["report"]["github_status"], "token": written.variable(slug, "report_token")}
        found["report"] = {"github_status": status}
    found = {name: value for name, value in found.items() if value not in ([], {})}
    if seen["kind"] == "heartbeat":
        return {name: value for name, value in found.items() if name not in only_of_programs()}
    suffixes = model["properties"]["language"]["x-suffixes"].items()
    suffix = next((suffix for suffix, language in suffixes if language == seen["language"]), "")
    if suffix:
        del found["language"]
    place = folder / f"{slug}{suffix}"
    programs[place] = seen["code"]
    found["file"] = f"{folder.name}/{place.name}"
    if any("sha256" in file for file in seen["files"]):
        written.notes.append(f"check {slug} names stored files. Another project must store them: `rustbox files put`.")
    return found
