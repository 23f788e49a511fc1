"""A compiler that waits for itself: it cannot open the pipes of its step, and those that it made end it early."""

import pytest

from sandbox_runtime.languages.entry import compile_limits
from tests.jail.guest_requests import Run

COMPILE_WALL_MS = compile_limits().wall_time_secs * 1000
OWN_OUTPUT = {
    "c": '#include "/dev/stdout"\nint main(void) { return 0; }\n',
    "cpp": '#include "/dev/stdout"\nint main() { return 0; }\n',
    "rust": 'static OWN: &[u8] = include_bytes!("/dev/stdout"); fn main() { println!("{}", OWN.len()); }\n',
}
# rustc shares out its work by a pipe of its own, and keeps both ends open. It chooses their numbers.
PIPES_OF_RUSTC = "".join(
    f'static A{number}: &[u8] = include_bytes!("/proc/self/fd/{number}");\n' for number in (3, 4, 5, 6)
)


@pytest.mark.parametrize("language", OWN_OUTPUT)
def test_a_compiler_that_reads_its_output_ends_early(run: Run, language: str) -> None:
    completed = run(language, OWN_OUTPUT[language])
    assert completed.result.phase == "compile"
    assert completed.result.verdict in {"RE", "TLE"}
    assert completed.metrics is not None
    assert completed.metrics.compile_ms is not None
    assert completed.metrics.compile_ms < COMPILE_WALL_MS / 2


def test_the_pipes_of_a_compile_step_have_no_right_to_be_opened(run: Run) -> None:
    completed = run("rust", OWN_OUTPUT["rust"])
    assert (completed.result.verdict, completed.result.cause) == ("RE", "ce_compile_failed")
    assert b"Permission denied" in completed.stderr.inline


def test_a_waiting_compiler_is_distinguished_from_a_slow_one(run: Run) -> None:
    completed = run("rust", PIPES_OF_RUSTC + "fn main() {}\n")
    assert (completed.result.phase, completed.result.verdict) == ("compile", "TLE")
    assert completed.result.error_message is not None
    assert "waited without working" in completed.result.error_message


def test_a_program_may_wait_as_long_as_it_likes(run: Run) -> None:
    completed = run("python", "import time; time.sleep(5); print('awake')\n")
    assert completed.result.verdict == "AC"
