"""The parameters that a slot's template process gets once, when it starts. They hold for all runs of the slot."""

from dataclasses import dataclass

from sandbox_runtime.jail.controls.mounts import BindMount
from sandbox_runtime.jail.python_fork import WarmStart


@dataclass(frozen=True, slots=True)
class Terms:
    """Fixed parameters of a slot.

    `uid`: user and group id of the guests as they see it, never 0.
    `runner_uid`: the supervisor's user id, which no guest may share.
    `outer_namespaces`: `pid:[4026531836]` by name, of the supervisor and of the template (which adds its own);
    a guest's namespaces must differ from all of them.
    `outer_filters`: number of system-call filters that the container loaded already; the template adds it.
    `membership_marker`: the end of the path of the slot's groups.
    `shares_cpu`: a group gives the slot its share of the CPUs.
    `required_controls`: the floor; a guest does not start when one of them is not in force.
    `warm`: the command as which the template itself was started.
    `small_init`: directory of the files that `languages.preparation` built; "": init is a fork of the template.
    `cpus`: a guest may use them; () leaves it those of the template.
    `interpreter_device`: device of the host's file system that holds the interpreter's executable.
    """

    control_fd: int
    uid: int
    runner_uid: int
    binds: tuple[BindMount, ...]
    outer_namespaces: tuple[dict[str, str], ...]
    membership_marker: str
    required_controls: tuple[str, ...]
    warm: WarmStart | None = None
    small_init: str = ""
    shares_cpu: bool = False
    outer_filters: int | None = None
    interpreter_device: int | None = None
    cpus: tuple[int, ...] = ()

    def serialise(self) -> str:
        """Python text for `parse`."""
        return repr(self)

    @classmethod
    def parse(cls, text: str) -> "Terms":
        """The reverse of `serialise`. Evaluates the text, so it must be the supervisor's."""
        kinds = {kind.__name__: kind for kind in (Terms, BindMount, WarmStart)}
        terms: Terms = eval(text, kinds)  # noqa: S307 - the supervisor's own text
        return terms
