"""Stored files of requests, from the bucket to the slot, over the engine."""

import hashlib
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from events.files import PlacedFile, StoredFile
from events.requested import JudgeRequested
from sandbox_runtime.jail.spec import JailSpec, Outcome
from tests.adapters.runner_system import Direct, System
from tests.runner_doubles import RecordedSlot, requested
from tests.submission_factory import EVENTS
from tests.until import until

pytestmark = pytest.mark.usefixtures("_no_retry_delay")
CONTENT = bytes(range(256)) * 20_000


class ReadingSlot(RecordedSlot):
    """Remembers the files that the jail could show to each step."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, bytes]] = []

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        folder = Path(spec.inputs_folder) / "files"
        paths = folder.iterdir() if spec.inputs_folder else ()
        self.found.append({path.name: path.read_bytes() for path in paths})
        return super().answer(spec, cancel_fd=cancel_fd)


def put(system: System, content: bytes = CONTENT, **lie: Any) -> PlacedFile:
    digest = hashlib.sha256(content).hexdigest()
    key = f"files/dev/{digest}"
    system.aws.client("s3").put_object(Bucket=system.aws.names["PayloadsBucket"], Key=key, Body=content)
    fields = {"key": key, "size": len(content), "sha256": digest, **lie}
    return PlacedFile("data/in.bin", read_only=True, stored=StoredFile(**fields))


def folders(system: System) -> list[Path]:
    return list(system.liveness_file.parent.glob("rustbox-files-*/run-*"))


def started(system: System, **changes: Any) -> ReadingSlot:
    system.has_files = True
    system.start(ReadingSlot, **changes)
    slot = system.slots[0]
    assert isinstance(slot, ReadingSlot)
    return slot


def test_a_run_gets_its_stored_files_and_they_are_given_back(system: System) -> None:
    slot, file = started(system), put(system)
    for _ in range(2):
        completed = system.completion(system.request(files=(file,)))
        assert completed["result"]["verdict"] == "AC"
    assert file.stored is not None
    assert slot.found == [{file.stored.sha256: CONTENT}] * 2
    assert [one.path for one in slot.specs[0].inputs] == ["data/in.bin"]
    until(lambda: folders(system) == [])


def test_a_lie_about_a_file_ends_the_run_with_a_sentence(system: System) -> None:
    slot = started(system)
    completed = system.completion(system.request(files=(put(system, sha256="0" * 64),)))
    assert (completed["result"]["verdict"], completed["result"]["cause"]) == ("IE", "ie_not_run")
    assert "not the one that it names: its bytes have another SHA-256" in completed["result"]["error_message"]
    assert slot.specs == []
    until(system.is_empty)


def test_a_run_whose_file_is_missing_is_tried_again_and_then_fails(system: System) -> None:
    slot = started(system, MAX_RECEIVES="2")
    completed = system.completion(system.request(files=(put(system, key="files/dev/none"),)))
    assert completed["result"]["error_message"] == "the files of the run could not be read"
    assert slot.specs == []


def test_other_runs_go_on_while_a_file_is_downloaded(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on = Event()
    slow = put(system)

    def transport(settings: Any) -> Any:
        made = System.transport(system, settings)
        read = made.read_file

        def read_slowly(object_key: str) -> Any:
            assert may_go_on.wait(60)
            return read(object_key)

        monkeypatch.setattr(made, "read_file", read_slowly)
        return made

    monkeypatch.setattr(system, "transport", transport)
    started(system)
    waiting = system.request(files=(slow,))
    for _ in range(3):
        assert system.completion(system.request())["result"]["verdict"] == "AC"
    may_go_on.set()
    assert system.completion(waiting)["result"]["verdict"] == "AC"


def test_a_runner_that_cannot_show_files_gives_such_requests_back(system: System) -> None:
    system.start(RecordedSlot, MAX_RECEIVES="1")
    completed = system.completion(system.request(files=(put(system),)))
    assert completed["result"]["error_message"] == "no runner offers files"


def test_inline_files_need_no_folder(system: System) -> None:
    system.start(RecordedSlot)
    file = PlacedFile("a/b.txt", read_only=False, content=b"text")
    assert system.completion(system.request(files=(file,)))["result"]["verdict"] == "AC"
    (one,) = system.slots[0].specs[0].inputs
    assert (one.path, one.content, system.slots[0].specs[0].inputs_folder) == ("a/b.txt", b"text", "")


def test_a_name_of_ours_ends_the_run_with_a_sentence(system: System) -> None:
    system.start(RecordedSlot)
    file = PlacedFile("solution.py", read_only=False, content=b"text")
    completed = system.completion(system.request(files=(file,)))
    assert "the service uses itself: solution.py" in completed["result"]["error_message"]


def test_every_case_of_a_judge_run_gets_the_files(system: System) -> None:
    slot, file = started(system), put(system)
    golden = JudgeRequested.parse((EVENTS / "judge_requested/v1.minimal.json").read_text())
    request = golden.changed(files=(file,))
    system.judge(request)
    completed = system.completion(request)
    assert completed["failure"] is None
    assert file.stored is not None
    assert slot.found == [{file.stored.sha256: CONTENT}] * 2
    until(lambda: folders(system) == [])


def test_a_case_gets_its_own_stored_file(system: System) -> None:
    slot, files = started(system), [put(system, bytes([number])).changed(case=number) for number in range(2)]
    golden = JudgeRequested.parse((EVENTS / "judge_requested/v1.minimal.json").read_text())
    request = golden.changed(files=tuple(files))
    system.judge(request)
    assert system.completion(request)["failure"] is None
    hashes = [[file.sha256 for file in spec.inputs] for spec in slot.specs]
    assert hashes == [[file.stored.sha256] for file in files if file.stored is not None]


def test_a_direct_run_gets_its_files(direct: Direct) -> None:
    slot, file = started(direct), put(direct)
    status, completed = direct.ask(requested(files=(file,)))
    assert (status, completed["result"]["verdict"]) == (200, "AC")
    assert file.stored is not None
    assert slot.found == [{file.stored.sha256: CONTENT}]
    status, _ = direct.ask(requested(files=(put(direct, b"other", key="files/dev/none"), file.changed(path="b"))))
    assert status == 502
