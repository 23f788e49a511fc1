"""A slot that pre-warms the most frequent step, and uses the pool's waiting commands for steps that fit them."""

from collections import Counter, deque
from dataclasses import replace

from sandbox_runtime.jail import InputFile, JailSpec, Outcome, Slot
from sandbox_runtime.prewarm.waiting_pool import WaitingPool

# Requests whose first steps we count. A step that is not pre-warmed takes about three times as long to set up.
REMEMBERED = 8
# Stands for the net namespace of any run with network. Such a run cannot be pre-warmed: its namespace is made for it.
_WITH_NETWORK = -1
# Stands for the files of any request. Such a run cannot be pre-warmed either: root places them.
_ANY = (InputFile("", 0),)


class PrewarmedSlot:
    """Owns `slot`. `pool`: shared with other slots."""

    def __init__(self, slot: Slot, pool: WaitingPool) -> None:
        self._slot = slot
        self._pool = pool
        self._is_begun = False
        self._first_steps: deque[JailSpec] = deque(maxlen=REMEMBERED)

    @property
    def healthy(self) -> bool:
        """Whether the own slot is usable. The pool replaces its slots itself."""
        return self._slot.healthy

    @property
    def runs(self) -> int:
        """The number of runs that started in the own slot."""
        return self._slot.runs

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        """As `Slot.answer`. Raises JailError."""
        outcome = self._pool.answer(spec, cancel_fd=cancel_fd) if spec.waiting is not None else None
        if outcome is not None:
            return outcome
        if not self._is_begun:
            self._is_begun = True
            # Without the waiting command: this slot serves the step when the pool has no command ready.
            network = None if spec.net_namespace is None else _WITH_NETWORK
            first_step = replace(
                spec,
                files=(),
                inputs=_ANY if spec.inputs else (),
                inputs_folder="",
                variables=(),
                stdin=b"",
                waiting=None,
                pipes=None,
                overtime_secs=0,
                net_namespace=network,
                keeps_box=False,
                output_watch=None,
            )
            self._first_steps.append(first_step)
        return self._slot.answer(spec, cancel_fd=cancel_fd)

    def settle(self) -> None:
        """As `Slot.settle`. Raises JailError."""
        self._slot.settle()

    def prewarm(self, spec: JailSpec) -> None:
        """As `Slot.prewarm`, for the most frequent first step of the last REMEMBERED requests; `spec` before any.

        Does nothing if that is a run with network or files. Raises JailError.
        """
        self._is_begun = False
        counts = Counter(self._first_steps)
        chosen = max(reversed(self._first_steps), key=counts.__getitem__, default=spec)
        if chosen.net_namespace is None and not chosen.inputs:
            self._slot.prewarm(chosen)

    def close(self) -> None:
        """As `Slot.close`."""
        self._slot.close()
