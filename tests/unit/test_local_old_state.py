"""The state of a development stack that kept it in ministack is moved aside."""

from pathlib import Path

from infra.local.embedded_aws import set_aside_old_state


def test_an_old_state_is_moved_into_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "ministack.json").write_text("{}")
    folder = set_aside_old_state(tmp_path)
    assert folder is not None
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert [path.name for path in folder.iterdir()] == ["ministack.json"]


def test_a_new_folder_and_the_engines_own_are_left_alone(tmp_path: Path) -> None:
    assert set_aside_old_state(tmp_path) is None
    (tmp_path / "engine").mkdir()
    assert set_aside_old_state(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == ["engine"]
