"""Read the policy file: what each family of processes may call. The grammar is explained in the file itself."""

import errno
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.jail.spec import FilterFamily

INIT, SMALL_INIT = "init", "small_init"
UNKNOWN = "unknown"
SIMPLE_RULES = frozenset({"allow", "deny", "noop"})
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
    r"(?P<rule>\w+) (?:when arg(?P<when>[0-5]) in (?P<when_values>[\w ]+), )?"
    r"arg(?P<argument>[0-5]) (?P<test>in|not in|without) (?P<values>[\w ]+) else (?P<errno>E\w+)"
)


@dataclass(frozen=True, slots=True)
class Check:
    """One condition on a call's arguments. `when`: an argument and its values for which the condition counts at all."""

    argument: int
    test: str  # "in", "not in": one of the values; "without": none of the values' bits
    values: tuple[int, ...]
    errno: int
    when: tuple[int, tuple[int, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """`rules[family][call]` is a simple rule or a key of `checks`. Calls are names."""

    rules: Mapping[str, Mapping[str, str]]
    checks: Mapping[str, tuple[Check, ...]]

    def by_number(self, family: str, numbers: Mapping[str, int]) -> dict[int, str]:
        """Rule of each call number of a machine. What other families may call is "deny"; other gaps are UNKNOWN."""
        named = {name for rules in self.rules.values() for name in rules}
        own = self.rules[family]
        return {numbers[name]: own.get(name, "deny") for name in named if name in numbers}


def call_numbers() -> Mapping[str, Mapping[str, int]]:
    """Call numbers by machine (`x86_64`, `aarch64`) and name; from the kernel's unistd headers."""
    table: dict[str, dict[str, int]] = json.loads((_HERE / "numbers.json").read_text())
    return table


def read_policy(text: str | None = None) -> Policy:
    """The policy of this package, or of `text`. Raises ValueError that names the offending word."""
    known = {name for names in call_numbers().values() for name in names}
    rules: dict[str, dict[str, str]] = {family: {} for family in (*_GUESTS, INIT, SMALL_INIT)}
    checks: dict[str, tuple[Check, ...]] = {}
    families: tuple[str, ...] = ()
    for line in _lines(text if text is not None else (_HERE / "policy.txt").read_text()):
        if line.startswith("["):
            families = _families(line)
            continue
        word, _, rest = line.partition(" ")
        if word == "check":
            rule, check = _parse_check(rest)
            checks[rule] = (*checks.get(rule, ()), check)
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


def _families(header: str) -> tuple[str, ...]:
    names = header.strip("[]").split()
    unknown = [name for name in names if name not in _GROUPS]
    if unknown:
        raise ValueError(f"policy: no such family: {unknown[0]}")
    return tuple(family for name in names for family in _GROUPS[name])


def _parse_check(text: str) -> tuple[str, Check]:
    match = _CHECK.fullmatch(text)
    if match is None or match["rule"] in SIMPLE_RULES or not hasattr(errno, match["errno"]):
        raise ValueError(f"policy: not a check: {text}")
    when = None if match["when"] is None else (int(match["when"]), _values(match["when_values"]))
    number: int = getattr(errno, match["errno"])
    return match["rule"], Check(int(match["argument"]), match["test"], _values(match["values"]), number, when)


def _values(text: str) -> tuple[int, ...]:
    return tuple(int(word, 0) for word in text.split())
