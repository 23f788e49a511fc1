"""How a language's programs end when the kernel refuses them memory or a thread."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeathSigns:
    """What is seen at the two limits. It decides nothing: a program can imitate all of it but the kernel's counters.

    `memory_causes`: causes of the verdict MLE. No runtime gives up by itself, for every heap may grow beyond the limit
    of the group; but one that lives on evicting its own program text is killed by the supervisor.
    `refused_thread_exit_code`, `refused_thread_words` (in stderr): of a program that does not handle the refusal. It is
    PLE only where the group counted a refused fork in the run; the same end without one is RE.
    """

    memory_causes: tuple[str, ...] = ("mle_kernel_oom",)
    refused_thread_exit_code: int = 1
    refused_thread_words: bytes = b""
