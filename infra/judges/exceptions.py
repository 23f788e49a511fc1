"""Which findings a template accepts, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_LEAST_REASON = 12
"""Characters. A shorter text gives no reason."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`template`: its name, such as `network`. `place`: a logical id, or `Template`."""

    judge: str
    template: str
    place: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.judge}: {self.template}: {self.place}: {self.rule}: {self.text[:200]}"


@dataclass(frozen=True, slots=True)
class Judged:
    """A template after all judges. `idle`: exceptions that nothing found needs, or that have no reason."""

    open: list[Finding]
    accepted: list[Finding]
    idle: list[str]

    @property
    def is_open(self) -> bool:
        return bool(self.open or self.idle)

    def lines(self) -> list[str]:
        return [*map(str, self.open), *self.idle]


def judge(name: str, template: Mapping[str, Any], findings: list[Finding]) -> Judged:
    """Divide the findings in one template by its exceptions."""
    types = {logical_id: resource["Type"] for logical_id, resource in template["Resources"].items()}
    exceptions = dict(_exceptions(template))
    used: set[tuple[str, str]] = set()
    opened: list[Finding] = []
    accepted: list[Finding] = []
    for finding in findings:
        if finding.template != name:
            continue
        places = (finding.place, types.get(finding.place, ""))
        keys = {(place, rule) for place in places for rule in _rules(finding.rule)} & exceptions.keys()
        used |= keys
        (accepted if keys else opened).append(finding)
    idle = [
        f"{name}: {place} accepts {rule}, which no judge finds: delete it" for place, rule in exceptions.keys() - used
    ]
    for (place, rule), reason in exceptions.items():
        if not isinstance(reason, str) or len(reason) < _LEAST_REASON:
            idle.append(f"{name}: {place} accepts {rule} without a reason")
    return Judged(opened, accepted, sorted(idle))


def _rules(rule: str) -> Iterator[str]:
    """Yield the names that accept a rule: itself, and for a wildcard in a policy the folder or index it stands for.

    cdk-nag reports `AwsSolutions-IAM5[Resource::<Bucket.Arn>/files/*]`. `AwsSolutions-IAM5[Resource::<Bucket.Arn>/]`
    accepts every wildcard below that ARN, but not the ARN's own.
    """
    yield rule
    head, slash, _ = rule.partition(">/")
    if slash and "[Resource::<" in head:
        yield f"{head}>/]"


def _exceptions(template: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    for place, accepted in template.get("Metadata", {}).get("accepted", {}).items():
        yield from (((place, rule), reason) for rule, reason in accepted.items())
    for logical_id, resource in template["Resources"].items():
        accepted = resource.get("Metadata", {}).get("accepted", {})
        yield from (((logical_id, rule), reason) for rule, reason in accepted.items())
