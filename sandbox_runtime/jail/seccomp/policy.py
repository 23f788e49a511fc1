"""Read the policy file and the kernel's call numbers into `number -> rule`."""

import json
from pathlib import Path

RULES = frozenset({"allow", "deny", "threads", "sockets", "persona", "console"})
_HERE = Path(__file__).parent


def numbers(machine: str) -> dict[str, int]:
    """Call numbers of `x86_64` or `aarch64` by name; from the kernel's unistd headers."""
    table: dict[str, dict[str, int]] = json.loads((_HERE / "numbers.json").read_text())
    return table[machine]


def rules(machine: str, text: str | None = None) -> dict[int, str]:
    """Rule of each call number named in the policy.

    A name unknown to this machine is skipped (arm64 has no `open`); a name unknown to every machine, or named twice,
    is a ValueError.
    """
    table: dict[str, dict[str, int]] = json.loads((_HERE / "numbers.json").read_text())
    known = {name for names in table.values() for name in names}
    found: dict[int, str] = {}
    seen: set[str] = set()
    for line in (text if text is not None else (_HERE / "policy.txt").read_text()).splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        rule, names = words[0], words[1:]
        if rule not in RULES:
            raise ValueError(f"policy: no such rule: {rule}")
        for name in names:
            if name not in known or name in seen:
                raise ValueError(f"policy: unknown or repeated call: {name}")
            seen.add(name)
            if name in table[machine]:
                found[table[machine][name]] = rule
    return found
