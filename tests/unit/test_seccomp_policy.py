"""The policy file as text: mistakes are named, families differ in what they were meant to."""

from pathlib import Path

import pytest

import sandbox_runtime.network.proxy.process
from sandbox_runtime.jail.controls.seccomp.filters import (
    INIT,
    SIMPLE_RULES,
    SMALL_INIT,
    Policy,
    call_numbers,
    read_policy,
)
from sandbox_runtime.jail.spec import FilterFamily
from sandbox_runtime.languages import LANGUAGES

POLICY = read_policy()
DANGEROUS = (
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsmount"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "bpf", "perf_event_open"),
    *("userfaultfd", "seccomp", "keyctl", "add_key", "request_key", "io_uring_setup", "io_uring_enter", "vmsplice"),
    *("memfd_secret", "open_by_handle_at", "name_to_handle_at", "fanotify_init", "init_module", "finit_module"),
    *("delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "acct", "iopl", "ioperm", "modify_ldt"),
    *("syslog", "sethostname", "settimeofday", "clock_settime", "adjtimex", "quotactl", "lookup_dcookie"),
    *("inotify_init1", "inotify_add_watch"),  # shared files tell what the neighbours do
)


def passing(policy: Policy, family: str) -> set[str]:
    return {name for name, rule in policy.rules[family].items() if rule != "deny"}


@pytest.mark.parametrize("family", POLICY.rules)
def test_no_family_gets_a_dangerous_call_or_one_whose_arguments_are_out_of_sight(family: str) -> None:
    assert passing(POLICY, family).isdisjoint(DANGEROUS)
    assert "clone3" not in POLICY.rules[family]


def test_native_programs_may_make_every_call_of_other_guests() -> None:
    native = passing(POLICY, FilterFamily.NATIVE)
    assert set().union(*(passing(POLICY, family) for family in FilterFamily)) == native
    assert all(passing(POLICY, family) < native for family in FilterFamily if family is not FilterFamily.NATIVE)


def test_compilers_have_no_way_to_talk() -> None:
    network = {"socket", "socketpair", "connect", "bind", "sendto", "sendmsg", "shmget", "msgget", "mq_open"}
    assert passing(POLICY, FilterFamily.COMPILE).isdisjoint(network)


@pytest.mark.parametrize(
    ("call", "families"),
    [
        ("shmget", {"native"}),
        ("personality", {"native"}),
        ("mincore", {"native", "java"}),
        ("execveat", {"native", "python"}),
        ("timer_create", {"native", "python", "go"}),
    ],
)
def test_a_call_that_few_runtimes_need_is_not_given_to_the_others(call: str, families: set[str]) -> None:
    assert {family for family in POLICY.rules if call in passing(POLICY, family)} == families
    numbers = call_numbers()["x86_64"]
    others = [family for family in POLICY.rules if family not in families]
    assert {POLICY.by_number(family, numbers)[numbers[call]] for family in others} == {"deny"}


def test_init_can_neither_start_nor_change_nor_reach_anything() -> None:
    init = passing(POLICY, INIT)
    assert len(init) < 30
    forbidden = {
        *("clone", "fork", "vfork", "execve", "execveat", "socket", "mount", "unlinkat", "chmod", "setuid", "prctl"),
    }
    assert init.isdisjoint(forbidden)
    assert {POLICY.rules[INIT][name] for name in ("mmap", "mprotect")} == {"data"}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_init_may_wait_to_be_killed_on_every_machine(machine: str) -> None:
    """On machines without poll(2) the C library calls ppoll(2)."""
    numbers = call_numbers()[machine]
    rules = POLICY.by_number(INIT, numbers)
    wanted = {"poll": "poll" if "poll" in numbers else "ppoll", "waitid": "waitid", "wait4": "wait4"}
    assert {name: rules[numbers[called]] for name, called in wanted.items()} == dict.fromkeys(wanted, "allow")


def test_the_small_init_can_wait_tell_and_leave() -> None:
    calls = {"ppoll", "wait4", "waitid", "clock_gettime", "write", "exit_group"}
    assert passing(POLICY, SMALL_INIT) == calls
    assert {POLICY.rules[SMALL_INIT][name] for name in calls} == {"allow"}


def test_each_language_has_its_family() -> None:
    assert {language.name: language.family.value for language in LANGUAGES} == {
        "python": "python",
        "c": "native",
        "cpp": "native",
        "java": "java",
        "javascript": "javascript",
        "typescript": "javascript",
        "go": "go",
        "rust": "native",
        "lua": "native",
        "bash": "native",
    }
    compiled = [language.compile for language in LANGUAGES if language.compile is not None]
    assert {step.family for step in compiled} == {FilterFamily.COMPILE}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[base]\nallow read raed", "raed"),
        ("[base]\nallow read\nallow write read", "read"),
        ("[base]\nallow read\n[native]\ndeny read", "read for native"),
        ("[base]\nallow read read", "read"),
        ("[base]\npermit read", "permit"),
        ("[base]\nthreads clone", "threads"),
        ("[ruby]\nallow read", "ruby"),
        ("check allow arg0 in 1 else EPERM", "allow"),
        ("check x arg6 in 1 else EPERM", "arg6"),
        ("check x arg0 in 1", "arg0"),
        ("check x arg0 in 1 else EWRONG", "EWRONG"),
        ("check x arg0 in else EPERM", "arg0"),
        ("check x arg0 in one else EPERM", "one"),
        ("check x arg0 above 1 else EPERM", "above"),
        ("check x when arg0 in 1 arg1 in 2 else EPERM", "when"),
        ("check x arg0&bits in 1 else EPERM", "bits"),
        ("check x arg0 in O_DIRECT else EPERM", "O_DIRECT"),
    ],
)
def test_a_mistake_in_the_policy_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        read_policy(text)


def test_every_rule_of_the_file_is_simple_or_checked_and_every_check_is_used() -> None:
    used = {rule for rules in POLICY.rules.values() for rule in rules.values()}
    assert used - SIMPLE_RULES == set(POLICY.checks)


def test_numbers_of_both_machines_are_those_that_everyone_knows() -> None:
    tables = call_numbers()
    known = {"read": (0, 63), "openat": (257, 56), "clone": (56, 220), "execve": (59, 221), "mmap": (9, 222)}
    known |= {"ptrace": (101, 117), "bpf": (321, 280), "openat2": (437, 437), "clone3": (435, 435), "mseal": (462, 462)}
    assert {name: (tables["x86_64"][name], tables["aarch64"][name]) for name in known} == known
    assert all(len(set(table.values())) == len(table) for table in tables.values()), "a number stands for one call"
    assert "open" not in tables["aarch64"], "arm64 never had the old calls"


def test_the_egress_proxy_makes_no_file_process_or_listener() -> None:
    text = (Path(sandbox_runtime.network.proxy.process.__path__[0]) / "policy.txt").read_text()
    policy = read_policy(text, groups={"helper": ("helper",)})
    calls = passing(policy, "helper")
    assert calls.isdisjoint(DANGEROUS)
    assert calls.isdisjoint({"open", "openat", "execve", "execveat", "clone", "clone3", "fork", "vfork", "kill"})
    assert calls.isdisjoint({"bind", "listen", "prlimit64", "setuid", "setresuid", "capset", "prctl", "memfd_create"})
    assert {policy.rules["helper"][name] for name in ("socket", "mmap", "mprotect")}.isdisjoint(SIMPLE_RULES)
