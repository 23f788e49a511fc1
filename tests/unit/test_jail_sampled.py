"""Sampled usage over a process table that the test writes: what is counted once, twice, never."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox_runtime.jail import JailError, Limits
from sandbox_runtime.jail.controls.cgroup import SampledUsage
from sandbox_runtime.jail.controls.cgroup.interface import EnforcedByKernel

TICK_USEC = 1_000_000 // os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
LIMITS = Limits(
    cpu_time_secs=1,
    wall_time_secs=1,
    memory_bytes=64 * MIB,
    max_processes=4,
    max_open_files=16,
    max_file_bytes=MIB,
    output_bytes=1000,
)


class Table:
    """A directory that looks like /proc of a template."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.add(1, parent=0, own=50)  # the template
        self.add(2, parent=1, own=7)  # init

    def add(
        self, pid: int, *, parent: int = 2, own: int = 0, children: int = 0, name: str = "python3", start: int = 5
    ) -> None:
        words = [str(pid), f"({name})", "R", str(parent), *["0"] * 9, str(own), "0", str(children), "0", *["0"] * 4]
        self.write(pid, "stat", " ".join([*words, str(start), "0"]))
        self.write(pid, "status", "Name:\tx\n")

    def memory(self, pid: int, *, anonymous_kib: int, shared_kib: int = 0, share_kib: int | None = None) -> None:
        resident = f"RssAnon:\t{anonymous_kib} kB\nRssFile:\t77777 kB\nRssShmem:\t{shared_kib} kB\n"
        self.write(pid, "status", f"Name:\tRssAnon:\\n 99999999 kB\n{resident}")
        if share_kib is not None:
            self.write(pid, "smaps_rollup", f"Rss: 1 kB\nPss: 99999 kB\nPss_Anon: {share_kib} kB\nPss_File: 9999 kB\n")

    def threads(self, pid: int, states: str) -> None:
        for number, state in enumerate(states):
            self.write(pid, f"task/{pid + number}/stat", f"{pid + number} (x) D) {state} 1 1")

    def write(self, pid: int, file: str, text: str) -> None:
        path = self.place / str(pid) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def remove(self, pid: int) -> None:
        for path in (self.place / str(pid)).iterdir():
            path.unlink()
        (self.place / str(pid)).rmdir()


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


@pytest.fixture
def usage(table: Table) -> Iterator[SampledUsage]:
    made = SampledUsage()
    made.take_process_tables([os.open(table.place, os.O_RDONLY)])
    made.prepare(LIMITS)
    yield made
    made.close()


def test_the_template_and_inits_own_time_are_not_the_runs(usage: SampledUsage) -> None:
    counters = usage.read()
    assert (counters.cpu_usage_usec, counters.memory_now_bytes) == (0, 0)
    assert counters.process_count == 1, "init is a process of the run: it may not outlive it"


def test_time_of_all_processes_and_of_those_that_were_waited_for_is_added(table: Table, usage: SampledUsage) -> None:
    table.add(3, own=10, children=4)
    table.add(4, parent=3, own=20)
    assert usage.read().cpu_usage_usec == 34 * TICK_USEC


def test_a_child_that_nobody_waits_for_is_not_forgotten(table: Table, usage: SampledUsage) -> None:
    table.add(3, own=10)
    for pid in (4, 5, 6):
        table.add(pid, parent=3, own=20)
        usage.read()
        table.remove(pid)
    assert usage.read().cpu_usage_usec == 70 * TICK_USEC


def test_a_waited_for_child_counts_once(table: Table, usage: SampledUsage) -> None:
    table.add(3, own=10)
    table.add(4, parent=3, own=20)
    assert usage.read().cpu_usage_usec == 30 * TICK_USEC
    table.remove(4)
    table.add(3, own=10, children=20)
    assert usage.read().cpu_usage_usec == 30 * TICK_USEC


def test_a_pid_that_is_used_again_is_another_process(table: Table, usage: SampledUsage) -> None:
    table.add(3, own=10, start=5)
    usage.read()
    table.add(3, own=10, start=6)
    assert usage.read().cpu_usage_usec == 20 * TICK_USEC


def test_a_process_that_ends_during_the_look_is_left_to_the_next_one(
    table: Table, usage: SampledUsage, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.add(3, own=10)
    table.add(4, parent=3, own=20)
    looks = [["2", "3"], ["2", "3", "4"]]  # the last one first
    monkeypatch.setattr(usage._table, "pids", looks.pop)
    assert usage.read().cpu_usage_usec == 10 * TICK_USEC


@pytest.mark.parametrize("name", ["a b", ") R 1 1 1 (", "((((", "", "x) S 1 9 9 9 9 9 9 9 9 9 999 999 999 999"])
def test_a_command_name_cannot_change_the_parsed_fields(table: Table, usage: SampledUsage, name: str) -> None:
    table.add(3, own=10, name=name)
    counters = usage.read()
    assert (counters.cpu_usage_usec, counters.process_count) == (10 * TICK_USEC, 2)


def test_memory_counts_pages_that_cannot_be_dropped(table: Table, usage: SampledUsage) -> None:
    table.add(3)
    table.memory(3, anonymous_kib=2048, shared_kib=1024)
    assert usage.read().memory_now_bytes == 3 * MIB


def test_pages_of_forked_processes_are_divided_when_the_plain_sum_is_too_much(
    table: Table, usage: SampledUsage
) -> None:
    for pid in (3, 4):
        table.add(pid)
        table.memory(pid, anonymous_kib=40 * 1024, share_kib=20 * 1024)
    assert usage.read().memory_now_bytes == 40 * MIB


@pytest.mark.parametrize(
    ("states", "expected_mib"),
    [("S", 90), ("D", 50), ("SRD", 50), ("DD", 40)],
    ids=["no-vfork", "vfork", "vfork-by-a-thread", "two"],
)
def test_a_child_that_uses_its_parents_memory_counts_once_for_each_thread_that_waits(
    table: Table, usage: SampledUsage, states: str, expected_mib: int
) -> None:
    table.add(3)
    table.memory(3, anonymous_kib=40 * 1024)
    table.threads(3, states)
    table.add(4, parent=3)
    table.memory(4, anonymous_kib=40 * 1024)  # the one that waits to start another program
    table.add(5, parent=3)
    table.memory(5, anonymous_kib=10 * 1024)
    assert usage.read().memory_now_bytes == expected_mib * MIB


def test_a_large_child_cannot_hide_behind_a_small_one_that_waits(table: Table, usage: SampledUsage) -> None:
    table.add(3)
    table.memory(3, anonymous_kib=1024)
    table.threads(3, "D")
    for pid, mib in ((4, 100), (5, 1)):
        table.add(pid, parent=3)
        table.memory(pid, anonymous_kib=mib * 1024)
    assert usage.read().memory_now_bytes == 101 * MIB


def test_shares_that_cannot_be_read_do_not_hide_memory(table: Table, usage: SampledUsage) -> None:
    for pid in (3, 4):
        table.add(pid)
        table.memory(pid, anonymous_kib=40 * 1024)
    assert usage.read().memory_now_bytes == 80 * MIB


def test_the_peak_stays_and_a_new_run_starts_from_nothing(table: Table, usage: SampledUsage) -> None:
    table.add(3, own=10)
    table.memory(3, anonymous_kib=2048)
    usage.read()
    table.remove(3)
    counters = usage.read()
    assert (counters.memory_now_bytes, counters.memory_peak_bytes) == (0, 2 * MIB)
    counters = usage.prepare(LIMITS)
    assert (counters.memory_peak_bytes, counters.cpu_usage_usec) == (0, 0)


def test_the_final_usage_of_the_kernel_counts_if_it_is_higher(usage: SampledUsage) -> None:
    usage.settle(123_456, 5 * MIB)
    counters = usage.read()
    assert (counters.cpu_usage_usec, counters.memory_peak_bytes) == (123_456, 5 * MIB)


def test_stored_files_count_and_their_mounts_are_let_go(usage: SampledUsage, monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)
    monkeypatch.setattr(os, "fstatvfs", lambda _: type("Facts", (), {"f_blocks": 10, "f_bfree": 4, "f_frsize": 4096})())
    usage.take_mounts([read_end])
    assert usage.read().memory_now_bytes == 6 * 4096
    usage.settle(0, 0)
    assert usage.read().memory_now_bytes == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_end)


def test_groups_that_the_kernel_enforces_keep_no_descriptor_of_a_run() -> None:
    fds = [*os.pipe(), *os.pipe()]
    groups = EnforcedByKernel()
    groups.take_process_tables(fds[:1])
    groups.take_mounts(fds[1:])
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_a_table_that_cannot_be_read_is_our_failure(table: Table) -> None:
    usage = SampledUsage()
    fd = os.open(table.place, os.O_RDONLY)
    usage.take_process_tables([fd])
    os.close(fd)
    with pytest.raises(JailError):
        usage.read()


@pytest.mark.parametrize("text", ["", "3 (x) R", "3 (x) R 1 " + "z " * 30])
def test_a_line_of_another_shape_is_our_failure(table: Table, usage: SampledUsage, text: str) -> None:
    table.add(3)
    table.write(3, "stat", text)
    with pytest.raises(JailError):
        usage.read()
