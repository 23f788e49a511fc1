"""For each missing thing one sentence that says what to change."""

import errno
from dataclasses import replace

import pytest

from sandbox_runtime.jail import CONTROLS, NEEDS_ROOT, HostFacts, HostSupport, JailError, advice

FACTS = HostFacts(
    kernel="6.12.0", machine="x86_64", cgroup_version="cgroup_v2", groups_problem="", max_user_namespaces=10_000
)
WHOLE = HostSupport("cgroup_v2", CONTROLS)


def failed(step: str, target: str = "", number: int = errno.EPERM) -> HostSupport:
    return HostSupport(None, (), JailError(step, target, number))


def lines(facts: HostFacts = FACTS, support: HostSupport | None = WHOLE) -> str:
    return "\n".join(advice(facts, support))


def test_a_strict_host_needs_no_advice() -> None:
    assert lines() == ""


def test_without_root_the_advice_is_to_use_root() -> None:
    assert lines(support=None) == f"strict: not tried: {NEEDS_ROOT}."


@pytest.mark.parametrize(
    ("facts", "strict", "words"),
    [
        ({"cgroup_version": None}, failed("find cgroups"), "mount cgroup2"),
        ({"groups_problem": "read-only"}, failed("create cgroup", number=errno.EROFS), "writable"),
        ({}, failed("unshare mounts"), "capabilities"),
        ({"in_user_namespace": True}, failed("open descriptors", number=errno.EINVAL), "rootless engine"),
        ({"apparmor_profile": "docker-default (enforce)"}, failed("mount", "/", errno.EACCES), "docker-default"),
        ({"apparmor_profile": "rustbox-runner (enforce)"}, failed("unshare mounts"), "capabilities"),
    ],
)
def test_the_advice_names_the_reason_against_strict_mode(
    facts: dict[str, str | bool | None], strict: HostSupport, words: str
) -> None:
    text = lines(replace(FACTS, **facts), strict)  # type: ignore[arg-type] # only text fields and one truth are changed
    assert f"strict: it fails at: {strict.failure}" in text
    assert words in text


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_that_is_missing_for_root_has_its_sentence(control: str) -> None:
    sentences = advice(FACTS, replace(WHOLE, controls=tuple(name for name in CONTROLS if name != control)))
    (found,) = [sentence for sentence in sentences if sentence.startswith("strict:")]
    assert control in found


@pytest.mark.parametrize("pattern", ["|/usr/lib/systemd/systemd-coredump %P", "@/run/coredump.socket"])
def test_crashes_that_are_handed_to_the_host_are_named_in_every_mode(pattern: str) -> None:
    text = lines(replace(FACTS, core_pattern=pattern))
    assert f"every mode: kernel.core_pattern is {pattern!r}" in text
    assert "sysctl -w kernel.core_pattern=core" in text


def test_more_watches_of_epoll_than_the_kernel_looks_at_soon_are_named_with_the_way_out() -> None:
    text = lines(replace(FACTS, epoll_watches=5_491_511))
    assert "every mode: fs.epoll.max_user_watches is 5491511" in text
    assert "sysctl -w fs.epoll.max_user_watches=16384" in text
    assert "epoll" not in lines(replace(FACTS, epoll_watches=16_384))


@pytest.mark.parametrize("pattern", ["core", "/var/crash/core.%p", "", None])
def test_cores_in_files_need_no_advice_for_the_limit_stops_them(pattern: str | None) -> None:
    assert "core_pattern" not in lines(replace(FACTS, core_pattern=pattern))
