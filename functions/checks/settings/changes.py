"""What a change of a check does and must hold beside its settings.

Its secrets are sealed: variables of its program, and the token of its report. Its stored files are held. The project's
hosts and webhook addresses bound it, and chains of triggers have no loop.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from typing import Final

from events.variables import Environment
from functions.checks import keys
from functions.checks.settings.check_settings import HIDDEN, CheckSettings
from functions.checks.settings.store import Check, CheckStore
from functions.checks.settings.trigger_rows import TriggerStore
from functions.checks.settings.triggers import CheckTrigger, chain_problem
from functions.env import Env
from functions.errors import ConflictError, FieldProblem, InvalidFieldsError
from functions.files.store import FileStore
from functions.files.use import StoredFiles
from functions.projects.model import Project
from functions.webhooks.deliveries.model import owner_of
from functions.webhooks.sealed_secrets import SecretBoxes
from functions.webhooks.webhook_url import AddressRules

_FIELD: Final = "report.github_status"
_NONE_KEPT = f"There is no token to keep; {HIDDEN} is none."
_OTHER_SERVICE = "The stored token is for another api_url. Send the token of this one."
_QUERY = "The address has no query: the path of the status follows it."


def sealed(env: Env, check: Check) -> Check:
    """Return a check whose new secrets are sealed for it, and hidden in its settings. *** keeps the one that it has.

    The sender of deliveries opens the token of a report.

    Raises ClientError.
    """
    variables, had = check.settings.env, check.env_boxes
    boxes = {name: had[name] if text == HIDDEN else _seal(env, check, text) for name, text in variables.items()}
    check = _with_sealed_token(env, check)
    return replace(check, settings=check.settings.hidden, env_boxes=boxes)


def environment_of(env: Env, check: Check, event_variables: Mapping[str, str]) -> Environment | None:
    """Return the variables of a run, with those of its event. Raises UnsealError, ClientError."""
    opened = {name: _open(env, check, box) for name, box in check.env_boxes.items()}
    variables = {**opened, **event_variables}
    return Environment(variables, tuple(opened)) if variables else None


def _seal(env: Env, check: Check, text: str) -> bytes:
    """Seal a value. An empty one has an empty box: KMS seals no empty text."""
    return env[SecretBoxes].seal(text, check.project_id, owner_of(check.check_id), "environment") if text else b""


def _open(env: Env, check: Check, box: bytes) -> str:
    return env[SecretBoxes].open(box, check.project_id, owner_of(check.check_id), "environment") if box else ""


def _with_sealed_token(env: Env, check: Check) -> Check:
    report = check.settings.report
    if report is None:
        return replace(check, report_box=b"")
    token = report.github_status.token
    if token == HIDDEN:
        return check
    box = env[SecretBoxes].seal(token, check.project_id, owner_of(check.check_id), "report")
    settings = check.settings.model_copy(update={"report": report.with_token(HIDDEN)})
    return replace(check, settings=settings, report_box=box)


def project_problems(
    settings: CheckSettings,
    project: Project,
    addresses: AddressRules,
    before: Check | None = None,
    *,
    may_use_secrets: bool,
) -> Iterator[FieldProblem]:
    """Yield what the project does not allow, and secrets to keep that it does not have.

    `before`: the check that is changed.
    """
    old = None if before is None else before.settings
    yield from _report_problems(settings, old, addresses)
    yield from _kept_problems(settings.env, () if before is None else before.env_boxes)
    if old is None or settings.network != old.network:
        yield from project.network_refusals(settings.allowed_hosts)
    uses_secrets = settings.network is not None and settings.network.secrets
    # Also with the same network: another program uses them as its author likes.
    if uses_secrets and not may_use_secrets and (old is None or settings.program() != old.program()):
        text = "This API key lacks the right secrets. Use another key of the project, or leave network.secrets out."
        yield FieldProblem("network.secrets", text, code="forbidden")


def _kept_problems(env: Mapping[str, str], had: Container[str]) -> Iterator[FieldProblem]:
    """Yield the variables whose value is to be kept, and that have none. `had`: the names before."""
    for name, text in env.items():
        if text == HIDDEN and name not in had:
            yield FieldProblem(f"env.{name[:64]}", f"There is no value to keep; {HIDDEN} is none.")


def _report_problems(
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


def require_trigger(env: Env, project_id: str, check_id: str, settings: CheckSettings) -> None:
    """Raise InvalidFieldsError for a trigger that cannot work, or that closes a loop."""
    problem = _trigger_problem(env, project_id, check_id, settings)
    if problem is not None:
        raise InvalidFieldsError((problem,))


def _trigger_problem(env: Env, project_id: str, check_id: str, settings: CheckSettings) -> FieldProblem | None:
    trigger, slug = settings.trigger, settings.slug or ""
    if trigger is None:
        return None
    if not isinstance(trigger, CheckTrigger):
        text = "This deployment puts no events on its bus (UseEventBus), so submissions start no check."
        return None if env.settings.event_bus_name else FieldProblem("trigger.type", text)
    if trigger.slug != slug and env[CheckStore].id_of_slug(project_id, trigger.slug) is None:
        return FieldProblem("trigger.slug", f"The project has no check {trigger.slug}. Create it first.")
    others = [each for each in env[TriggerStore].followers(project_id) if each.check_id != check_id]
    text = chain_problem(others, slug, trigger.slug) or ""
    return FieldProblem("trigger.slug", text) if text else None


def refuse_if_followed(env: Env, check: Check) -> None:
    """Raise ConflictError if other checks follow a check that loses its slug."""
    slug = check.settings.slug
    names = sorted(each.slug for each in env[TriggerStore].followers(check.project_id) if each.source == slug)
    if names:
        raise ConflictError(f"These checks follow {slug}: {', '.join(names[:5])}. Change their triggers first.")


def hold_files(env: Env, check: Check, project: Project) -> None:
    """Keep the stored files of a check of this project, before it is written.

    A hold is only a hint: the sweeper of `functions.files` asks `CheckStore.names_file`.

    Raises FilesMissingError, RateLimitedError.
    """
    hashes = check.settings.stored_files
    if hashes:
        env[StoredFiles].hold(project, hashes)
        env[FileStore].hold(check.project_id, hashes, f"{keys.HOLDER}{check.check_id}")
