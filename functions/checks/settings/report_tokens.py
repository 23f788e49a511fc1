"""The token of a check's report: sealed for its check, and for one service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from functions.checks.settings.check_settings import HIDDEN
from functions.errors import FieldProblem
from functions.webhooks.deliveries.report import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.checks.settings.check_settings import CheckSettings
    from functions.checks.settings.model import Check
    from functions.webhooks.target.address_rules import AddressRules
    from functions.webhooks.target.secret_box import SecretBoxes

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
