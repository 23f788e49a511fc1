"""Read the policy file: the system calls of each family of processes. The file explains its grammar."""

import errno
import json
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.jail.spec import FilterFamily

INIT, SMALL_INIT = "init", "small_init"
UNKNOWN = "unknown"
EVERY_BIT = 0xFFFFFFFF
SIMPLE_RULES = frozenset({"allow", "deny", "noop", "absent"})
_HERE = Path(__file__).parent
_GUESTS = tuple(FilterFamily)
_GROUPS = {
    "base": _GUESTS,
    "programs": tuple(family for family in _GUESTS if family is not FilterFamily.COMPILE),
    INIT: (INIT,),
    SMALL_INIT: (SMALL_INIT,),
    **{family.value: (family,) for family in _GUESTS},
}
_CHECK = re.compile(
    r"(?P<rule>\w+) (?:when arg(?P<when>[0-5]) in (?P<when_values>[\w -]+), )?"
    r"arg(?P<argument>[0-5])(?:&(?P<mask>\w+))? (?P<test>in|not in|without) (?P<values>[\w -]+) "
    r"else (?P<failure>E\w+|noop)"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One condition on a call's arguments. `when`: an argument and the values with which the condition applies."""

    argument: int
    test: str  # "in", "not in": one of the values; "without": none of the values' bits
    values: tuple[int, ...]
    errno: int  # 0: the call does nothing and succeeds
    mask: int = EVERY_BIT
    when: tuple[int, tuple[int, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """`rules[family][call]` is a simple rule or a key of `checks`. Calls are names."""

    rules: Mapping[str, Mapping[str, str]]
    checks: Mapping[str, tuple[Check, ...]]

    def by_number(self, family: str, numbers: Mapping[str, int]) -> dict[int, str]:
        """Return the rule of each call number of a machine. Calls that only other families have are "deny"."""
        named = {name for rules in self.rules.values() for name in rules}
        own = self.rules[family]
        return {numbers[name]: own.get(name, "deny") for name in named if name in numbers}


def call_numbers() -> Mapping[str, Mapping[str, int]]:
    """Read the call numbers by machine (`x86_64`, `aarch64`) and name, as in the kernel's unistd headers."""
    table: dict[str, dict[str, int]] = json.loads((_HERE / "numbers.json").read_text())
    return table


def read_policy(
    text: str | None = None, machine: str | None = None, groups: Mapping[str, tuple[str, ...]] = _GROUPS
) -> Policy:
    """Parse the policy of this package, or `text`, for `machine` or this one. Raises ValueError with the wrong word.

    `groups`: the families of each word that a header may have.
    """
    machine = machine or platform.machine()
    known = {name for names in call_numbers().values() for name in names}
    rules: dict[str, dict[str, str]] = {family: {} for families in groups.values() for family in families}
    checks: dict[str, tuple[Check, ...]] = {}
    constants: dict[str, int] = {}
    families: tuple[str, ...] = ()
    for line in _lines(text if text is not None else (_HERE / "policy.txt").read_text()):
        if line.startswith("["):
            families = _families(line, groups)
            continue
        word, _, rest = line.partition(" ")
        if word == "check":
            rule, check = _parse_check(rest, constants)
            checks[rule] = (*checks.get(rule, ()), check)
            continue
        if word == "constant":
            name, *pairs = rest.split()
            constants[name] = int(dict(zip(pairs[::2], pairs[1::2], strict=True))[machine], 0)
            continue
        if word not in SIMPLE_RULES and word not in checks:
            raise ValueError(f"policy: no such rule: {word}")
        for name in rest.split():
            if name not in known:
                raise ValueError(f"policy: unknown call: {name}")
            for family in families:
                if name in rules[family]:
                    raise ValueError(f"policy: repeated call: {name} for {family}")
                rules[family][name] = word
    return Policy(rules, checks)


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words:
            yield " ".join(words)


def _families(header: str, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    names = header.strip("[]").split()
    unknown = [name for name in names if name not in groups]
    if unknown:
        raise ValueError(f"policy: no such family: {unknown[0]}")
    return tuple(family for name in names for family in groups[name])


def _parse_check(text: str, constants: Mapping[str, int]) -> tuple[str, Check]:
    match = _CHECK.fullmatch(text)
    failure = "" if match is None else match["failure"]
    if match is None or match["rule"] in SIMPLE_RULES or not (failure == "noop" or hasattr(errno, failure)):
        raise ValueError(f"policy: not a check: {text}")
    when = None if match["when"] is None else (int(match["when"]), _values(match["when_values"], constants))
    return match["rule"], Check(
        argument=int(match["argument"]),
        test=match["test"],
        values=_values(match["values"], constants),
        errno=0 if failure == "noop" else getattr(errno, failure),
        mask=int(match["mask"] or str(EVERY_BIT), 0),
        when=when,
    )


def _values(text: str, constants: Mapping[str, int]) -> tuple[int, ...]:
    found: list[int] = []
    for word in text.split():
        first, _, last = word.partition("-")
        if first in constants:
            found.append(constants[first])
        else:
            found += range(int(first, 0), int(last or first, 0) + 1)
    return tuple(found)
