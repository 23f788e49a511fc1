"""The token of a check's report: sealed for its check, and for one service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from functions.checks.settings.check_settings import HIDDEN
from functions.errors import FieldProblem, InvalidFieldsError
from functions.webhooks.deliveries.report import owner_of

if TYPE_CHECKING:
    from functions.checks.settings.model import Check
    from functions.checks.settings.report import GithubStatus
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

    def sealed(self, check: Check, before: Check | None, rules: AddressRules) -> Check:
        """Return a check whose new token is sealed, and hidden in its settings. *** keeps the token of `before`.

        Raises InvalidFieldsError, ClientError.
        """
        report = check.settings.report
        if report is None:
            return replace(check, report_box=b"")
        old = None if before is None or before.settings.report is None else before.settings.report.github_status
        _refuse(report.github_status, old, rules)
        token = report.github_status.token
        if token == HIDDEN:
            return check
        box = self.boxes.seal(token, check.project_id, owner_of(check.check_id), "report")
        settings = check.settings.model_copy(update={"report": report.with_token(HIDDEN)})
        return replace(check, settings=settings, report_box=box)


def _refuse(status: GithubStatus, old: GithubStatus | None, rules: AddressRules) -> None:
    is_new = old is None or old.api_url != status.api_url
    if is_new and "?" in status.api_url:
        raise InvalidFieldsError((FieldProblem(f"{_FIELD}.api_url", _QUERY),))
    problem = rules.problem(status.api_url, f"{_FIELD}.api_url") if is_new else None
    if problem is None and status.token == HIDDEN and is_new:
        problem = FieldProblem(f"{_FIELD}.token", _NONE_KEPT if old is None else _OTHER_SERVICE)
    if problem is not None:
        raise InvalidFieldsError((problem,))
