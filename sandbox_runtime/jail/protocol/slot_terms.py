"""The parameters that a slot's template process gets once, when it starts. They hold for all runs of the slot."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from sandbox_runtime.jail.controls.mounts import BindMount
from sandbox_runtime.jail.python_fork import WarmStart


@dataclass(frozen=True, slots=True)
class Terms:
    """Fixed parameters of a slot.

    `uid`: user and group id of the guests as they see it, never 0.
    `runner_uid`: the supervisor's user id, which no guest may share.
    `in_user_namespace`: the runner is an ordinary user; the template makes a user namespace for everything.
    `outer_namespaces`: `pid:[4026531836]` by name, of the supervisor and of the template (which adds its own);
    a guest's namespaces must differ from all of them.
    `outer_filters`: number of system-call filters that the container loaded already; the template adds it.
    `membership_marker`: the end of the path of the slot's groups; "" without groups.
    `shares_cpu`: a group gives the slot its share of the CPUs.
    `required_controls`: the floor; a guest does not start when one of them is not in force.
    `warm`: the command as which the template itself was started.
    `small_init`: directory of the files that `languages.process_one` built; "": init is a fork of the template.
    `interpreter_device`: device of the host's file system that holds the interpreter's executable.
    """

    control_fd: int
    uid: int
    runner_uid: int
    in_user_namespace: bool
    binds: tuple[BindMount, ...]
    outer_namespaces: tuple[dict[str, str], ...]
    membership_marker: str
    required_controls: tuple[str, ...]
    warm: WarmStart | None = None
    small_init: str = ""
    shares_cpu: bool = False
    outer_filters: int | None = None
    interpreter_device: int | None = None

    def serialise(self) -> str:
        """JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> "Terms":
        """The reverse of `serialise`."""
        fields: dict[str, Any] = json.loads(text)
        return cls(
            control_fd=fields["control_fd"],
            uid=fields["uid"],
            runner_uid=fields["runner_uid"],
            in_user_namespace=fields["in_user_namespace"],
            binds=tuple(BindMount(**bind) for bind in fields["binds"]),
            outer_namespaces=tuple(fields["outer_namespaces"]),
            membership_marker=fields["membership_marker"],
            required_controls=tuple(fields["required_controls"]),
            warm=None if fields["warm"] is None else _warm(fields["warm"]),
            small_init=fields["small_init"],
            shares_cpu=fields["shares_cpu"],
            outer_filters=fields["outer_filters"],
            interpreter_device=fields["interpreter_device"],
        )


def _warm(fields: dict[str, Any]) -> WarmStart:
    return WarmStart(
        argv=tuple(fields["argv"]),
        environment=tuple((name, value) for name, value in fields["environment"]),
        imports=tuple(fields["imports"]),
    )
