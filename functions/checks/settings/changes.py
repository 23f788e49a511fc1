"""What a change of a check does and must hold beside its settings.

Its secrets are sealed: variables of its program, and the token of its report. Its stored files are held. The project's
hosts and webhook addresses bound it, and chains of triggers have no loop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from events.variables import Environment
from functions.checks import keys
from functions.checks.settings.check_settings import HIDDEN
from functions.checks.settings.triggers import CheckTrigger, chain_problem
from functions.errors import ConflictError, FieldProblem, InvalidFieldsError
from functions.webhooks.deliveries.report import owner_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from functions.checks.settings.check_settings import CheckSettings
    from functions.checks.settings.store import Check, CheckStore
    from functions.checks.settings.trigger_rows import TriggerStore
    from functions.files.store import FileStore
    from functions.files.use import StoredFiles
    from functions.projects.model import Project
    from functions.webhooks.sealed_secrets import SecretBoxes
    from functions.webhooks.webhook_url import AddressRules


@dataclass(frozen=True, slots=True)
class CheckVariables:
    """Seals and opens the variables of checks."""

    boxes: SecretBoxes

    def sealed(self, check: Check) -> Check:
        """Return a check whose new values are sealed, and hidden in its settings. *** keeps the value that it has.

        Raises ClientError.
        """
        env, had = check.settings.env, check.env_boxes
        sealed = {name: had[name] if text == HIDDEN else self._seal(check, text) for name, text in env.items()}
        return replace(check, settings=check.settings.hidden, env_boxes=sealed)

    def environment(self, check: Check, event_variables: Mapping[str, str]) -> Environment | None:
        """Return the variables of a run, with those of its event. Raises UnsealError, ClientError."""
        opened = {name: self._open(check, box) for name, box in check.env_boxes.items()}
        variables = {**opened, **event_variables}
        return Environment(variables, tuple(opened)) if variables else None

    def _seal(self, check: Check, text: str) -> bytes:
        """Seal a value. An empty one has an empty box: KMS seals no empty text."""
        return self.boxes.seal(text, check.project_id, _owner_of(check), "environment") if text else b""

    def _open(self, check: Check, box: bytes) -> str:
        return self.boxes.open(box, check.project_id, _owner_of(check), "environment") if box else ""


def kept_problems(env: Mapping[str, str], had: Container[str]) -> Iterator[FieldProblem]:
    """Yield the variables whose value is to be kept, and that have none. `had`: the names before."""
    for name, text in env.items():
        if text == HIDDEN and name not in had:
            yield FieldProblem(f"env.{name[:64]}", f"There is no value to keep; {HIDDEN} is none.")


def _owner_of(check: Check) -> str:
    """Return the owner of a check's values in the encryption context."""
    return f"check:{check.check_id}"


_FIELD: Final = "report.github_status"
_NONE_KEPT = f"There is no token to keep; {HIDDEN} is none."
_OTHER_SERVICE = "The stored token is for another api_url. Send the token of this one."
_QUERY = "The address has no query: the path of the status follows it."


@dataclass(frozen=True, slots=True)
class ReportTokens:
    """Seals tokens. The sender of deliveries opens them."""

    boxes: SecretBoxes

    def sealed(self, check: Check) -> Check:
        """Return a check whose new token is sealed, and hidden in its settings. *** keeps the token that it has.

        Raises ClientError.
        """
        report = check.settings.report
        if report is None:
            return replace(check, report_box=b"")
        token = report.github_status.token
        if token == HIDDEN:
            return check
        box = self.boxes.seal(token, check.project_id, owner_of(check.check_id), "report")
        settings = check.settings.model_copy(update={"report": report.with_token(HIDDEN)})
        return replace(check, settings=settings, report_box=box)


def report_problems(
    settings: CheckSettings, before: CheckSettings | None, rules: AddressRules
) -> Iterator[FieldProblem]:
    """Yield the problems of a report. The address of `before` is not checked again."""
    if settings.report is None:
        return
    status, old = settings.report.github_status, None if before is None else before.report
    if old is not None and old.github_status.api_url == status.api_url:
        return
    if "?" in status.api_url:
        yield FieldProblem(f"{_FIELD}.api_url", _QUERY)
    elif (problem := rules.problem(status.api_url, f"{_FIELD}.api_url")) is not None:
        yield problem
    if status.token == HIDDEN:
        yield FieldProblem(f"{_FIELD}.token", _NONE_KEPT if old is None else _OTHER_SERVICE)


@dataclass(frozen=True, slots=True)
class ProjectRules:
    """The rules. `before`: the check that is changed."""

    project: Project
    addresses: AddressRules
    before: Check | None = None

    def problems(self, settings: CheckSettings) -> Iterator[FieldProblem]:
        """Yield what breaks them."""
        old = None if self.before is None else self.before.settings
        yield from report_problems(settings, old, self.addresses)
        yield from kept_problems(settings.env, () if self.before is None else self.before.env_boxes)
        if old is None or settings.network != old.network:
            yield from self.project.network_refusals(settings.allowed_hosts)


@dataclass(frozen=True, slots=True)
class TriggerRules:
    """Rules for changes of triggers. `has_bus`: without a bus, ended submissions start no checks."""

    store: CheckStore
    triggers: TriggerStore
    has_bus: bool

    def check_trigger(self, check_id: str, project_id: str, settings: CheckSettings) -> None:
        """Raise InvalidFieldsError for a trigger that cannot work, or that closes a loop."""
        problem = self._problem(check_id, project_id, settings)
        if problem is not None:
            raise InvalidFieldsError((problem,))

    def _problem(self, check_id: str, project_id: str, settings: CheckSettings) -> FieldProblem | None:
        trigger, slug = settings.trigger, settings.slug or ""
        if trigger is None:
            return None
        if not isinstance(trigger, CheckTrigger):
            text = "This deployment puts no events on its bus (UseEventBus), so submissions start no check."
            return None if self.has_bus else FieldProblem("trigger.type", text)
        if trigger.slug != slug and self.store.id_of_slug(project_id, trigger.slug) is None:
            text = f"The project has no check {trigger.slug}. Create it first."
            return FieldProblem("trigger.slug", text)
        others = [each for each in self.triggers.followers(project_id) if each.check_id != check_id]
        text = chain_problem(others, slug, trigger.slug) or ""
        return FieldProblem("trigger.slug", text) if text else None

    def refuse_if_followed(self, check: Check) -> None:
        """Raise ConflictError if other checks follow a check that loses its slug."""
        slug = check.settings.slug
        names = sorted(each.slug for each in self.triggers.followers(check.project_id) if each.source == slug)
        if names:
            raise ConflictError(f"These checks follow {slug}: {', '.join(names[:5])}. Change their triggers first.")


@dataclass(frozen=True, slots=True)
class CheckFiles:
    """Keeps the stored files that checks name: see `functions.files`.

    A hold is only a hint: the sweeper asks `is_named`.
    """

    checks: CheckStore
    files: FileStore
    stored: StoredFiles

    def hold(self, check: Check, project: Project) -> None:
        """Keep the stored files of a check of this project, before it is written.

        Raises FilesMissingError, RateLimitedError.
        """
        hashes = check.settings.stored_files
        if hashes:
            self.stored.hold(project, hashes)
            self.files.hold(check.project_id, hashes, f"{keys.HOLDER}{check.check_id}")

    def is_named(self, project_id: str, sha256: str, holder: str) -> bool:
        """Tell whether the check of a hold still names a file."""
        check = self.checks.get(project_id, holder.removeprefix(keys.HOLDER), with_source=True)
        return check is not None and sha256 in check.settings.stored_files
