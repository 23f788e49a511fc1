"""`doctor`: the controls of this host, the missing ones, and what to change."""

import json
import os
import sys
from dataclasses import asdict, dataclass

from sandbox_runtime import settings
from sandbox_runtime.jail import (
    CONTROLS,
    HostFacts,
    HostSupport,
    advice,
    probe_host,
    read_facts,
)
from sandbox_runtime.languages import LANGUAGES, fork_problem, present, version, warm_language
from sandbox_runtime.network import network_problem

STRICT, PERMISSIVE, NOTHING = "strict", "permissive", "none"
EXIT_CODES = {STRICT: 0, PERMISSIVE: 1, NOTHING: 2}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The report of `doctor`. `support`: None without root; `toolchains`: "" for a missing one.

    `fork_problem`: why Python programs cannot run as forks of a warm interpreter; "" if they can; None: not tried.
    `network_problem`: why runs cannot have a network; "" if they can.
    """

    facts: HostFacts
    support: HostSupport | None
    toolchains: dict[str, str]
    fork_problem: str | None
    network_problem: str
    advice: tuple[str, ...]

    @property
    def mode(self) -> str:
        """The best mode that a probe run has shown."""
        if self.support is None or self.support.failure is not None:
            return NOTHING
        return STRICT if self.support.is_strict else PERMISSIVE


def doctor(*, is_json: bool) -> int:
    """Print the diagnosis. Returns 0 when strict mode is possible, 1 when only permissive is, 2 when nothing is."""
    found = _diagnose()
    sys.stdout.write((json.dumps(_fields(found), indent=2) if is_json else _table(found)) + "\n")
    return EXIT_CODES[found.mode]


def _diagnose() -> Diagnosis:
    facts = read_facts()
    support = probe_host() if os.geteuid() == 0 else None
    toolchains_dir = settings.toolchains_dir(os.environ)
    installed = present(toolchains_dir)
    toolchains = {
        language.name: version(language, toolchains_dir) if language.name in installed else "" for language in LANGUAGES
    }
    warm, can_run = warm_language(installed.values()), support is not None and support.failure is None
    forking = fork_problem(warm, toolchains_dir, ()) if warm is not None and can_run else None
    missing = tuple(
        f"{name}: its toolchain is missing: `make setup` installs it, or set TOOLCHAINS_DIR."
        for name, text in toolchains.items()
        if not text
    )
    sentences = (*advice(facts, support), *missing)
    return Diagnosis(facts, support, toolchains, forking, network_problem(), sentences)


def _fields(found: Diagnosis) -> dict[str, object]:
    return {
        "mode": found.mode,
        **asdict(found.facts),
        "controls": {name: _state(found.support, name) for name in CONTROLS},
        "toolchains": found.toolchains,
        "python_fork": {
            "works": None if found.fork_problem is None else not found.fork_problem,
            "problem": found.fork_problem,
        },
        "network": {"works": not found.network_problem, "problem": found.network_problem},
        "advice": list(found.advice),
    }


def _state(support: HostSupport | None, control: str) -> bool | None:
    """Whether a control was in force. None: nothing was probed."""
    return None if support is None else control in support.controls


_WORDS = {True: "yes", False: "NO", None: "?"}


def _shown(value: object) -> str:
    return "no such setting" if value is None else str(value)


def _table(found: Diagnosis) -> str:
    facts = found.facts
    rows = [
        ("mode", found.mode),
        ("kernel", f"{facts.kernel} {facts.machine}"),
        ("control groups", f"{facts.cgroup_version or 'none'}{_because(facts.groups_problem)}"),
        ("user.max_user_namespaces", _shown(facts.max_user_namespaces)),
        ("kernel.core_pattern", _shown(facts.core_pattern)),
        ("fs.epoll.max_user_watches", _shown(facts.epoll_watches)),
    ]
    lines = [f"{name:46}{text}" for name, text in rows]
    lines += ["", f"{'control':22}in force"]
    lines += [f"{name:22}{_WORDS[_state(found.support, name)]}" for name in CONTROLS]
    lines += ["", *(f"{name:22}{text or 'missing'}" for name, text in found.toolchains.items())]
    if found.fork_problem is not None:
        state = f"NO, so they start by exec, which is slower: {found.fork_problem}" if found.fork_problem else "yes"
        lines += ["", f"{'Python programs fork':22}{state}"]
    lines.append(f"{'network by name':22}{f'NO: {found.network_problem}' if found.network_problem else 'yes'}")
    if found.advice:
        lines += ["", "what to change:", *(f"  {sentence}" for sentence in found.advice)]
    return "\n".join(lines)


def _because(problem: str) -> str:
    return f", none can be made: {problem}" if problem else ""
