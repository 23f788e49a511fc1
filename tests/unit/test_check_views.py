from functions.checks.settings.check_settings import CheckSettings
from functions.checks.views import CheckView, SettingsView


def test_a_client_sees_every_setting_of_a_check() -> None:
    program = {"code", "stdin", "files"}
    assert SettingsView.__annotations__.keys() == CheckSettings.model_fields.keys() - program
    assert program <= CheckView.__annotations__.keys()
