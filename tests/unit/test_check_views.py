from typing import TYPE_CHECKING

from functions.checks.settings.check_settings import CheckKind, CheckSettings
from functions.checks.settings.store import Check
from functions.checks.views import CheckView, ListedCheck, check_view, listed_check

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW_MS = 1_800_000_000_000
PROGRAM = {"code", "stdin", "files"}


def test_a_client_sees_every_setting_of_a_check() -> None:
    shown = check_view(_check(CheckSettings(name="a", slug="a", language="python", code="1", spread_minutes=0)), NOW_MS)
    assert shown.keys() == CheckView.__annotations__.keys()
    assert shown.keys() >= CheckSettings.model_fields.keys()


def test_a_list_of_checks_has_the_same_fields_of_a_heartbeat_but_no_program() -> None:
    settings = CheckSettings(name="a", slug="a", kind=CheckKind.HEARTBEAT, schedule="rate(5 minutes)")
    listed: Mapping[str, object] = listed_check(_check(settings), NOW_MS)
    assert listed.keys() == ListedCheck.__required_keys__
    assert listed.keys().isdisjoint(PROGRAM)
    assert listed["language"] is None
    assert listed["compile_args"] == []


def _check(settings: CheckSettings) -> Check:
    return Check.new("p1", settings, NOW_MS)
