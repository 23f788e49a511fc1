"""Finds sends of a delivery without a record, and explains them by kills.

A send without a record is repeated: a duplicate. Only the death of the process between send and record may be the
cause. Two facts show it: the sending process was killed soon after, and its log has no line about the end of that
attempt, as it has for every attempt that ended, delivered or failed.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.system.kill_run.facts import AttemptRow, Generation, Reception

# Limit for a send and its record on a busy machine. A handler that hung for longer did not end by the kill.
SEND_AND_RECORD_SECS = 20.0
# A request may be in transit when its sender dies, and the receiving thread may wait for a processor.
ON_ITS_WAY_SECS = 1.0
_ENDED = "Delivery attempted"
_FAILED = "Delivery failed inside"


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A send without a record. `explanation` None: no kill explains it."""

    reception: Reception
    explanation: str | None


def unrecorded(
    receptions: Sequence[Reception], attempts: Sequence[AttemptRow], generations: Sequence[Generation]
) -> list[Unrecorded]:
    """Return the sends of one delivery without a record, from its requests and its recorded attempts."""
    left = sorted(receptions, key=lambda reception: reception.received_at)
    for attempt in sorted(attempts, key=lambda attempt: attempt.at):
        # Sends of one delivery do not overlap, so the attempt is the last request that fits.
        fits = [
            place
            for place, reception in enumerate(left)
            if reception.status == attempt.status and reception.received_at <= attempt.at + ON_ITS_WAY_SECS
        ]
        if fits:
            del left[fits[-1]]
    return [Unrecorded(reception, _explain(reception, receptions, generations)) for reception in left]


def unreceived(receptions: Sequence[Reception], attempts: Sequence[AttemptRow]) -> Iterator[AttemptRow]:
    """Yield attempts with an answer that the target never gave."""
    statuses = [reception.status for reception in receptions]
    for attempt in attempts:
        if attempt.status is None:
            continue
        if attempt.status in statuses:
            statuses.remove(attempt.status)
        else:
            yield attempt


def _explain(reception: Reception, others: Iterable[Reception], generations: Sequence[Generation]) -> str | None:
    sender = _sender(reception, generations)
    if sender is None or sender.ended_at is None:
        return None
    if sender.ended_at > reception.answered_at + SEND_AND_RECORD_SECS:
        return None
    # Without a lease, the next process may send the same delivery as soon as it lives.
    sent = [
        other
        for other in others
        if other is reception or (_sender(other, generations) is sender and other.received_at <= sender.ended_at)
    ]
    if reception is not max(sent, key=lambda other: other.received_at):
        return None  # the process sent the same delivery again, so it had finished this send
    delivery_id = f"delivery_id={reception.webhook_id}#{reception.target} "
    ends, failures = 0, 0
    for line in sender.log.splitlines():
        ends += _ENDED in line and delivery_id in line
        failures += _FAILED in line and line[:12] >= _stamp(reception.received_at)
    if ends >= len(sent) or failures:
        return None
    return f"the process that sent it was killed {sender.ended_at - reception.received_at:.3f} s later"


def _sender(reception: Reception, generations: Sequence[Generation]) -> Generation | None:
    """Return the process that lived at that time, or that ended shortly before, with its request in transit."""
    started = [
        generation for generation in generations if generation.launched_at + ON_ITS_WAY_SECS <= reception.received_at
    ]
    found = started[-1] if started else None
    if found is not None and found.ended_at is not None and reception.received_at > found.ended_at + ON_ITS_WAY_SECS:
        return None
    return found


def _stamp(at: float) -> str:
    """Format a time as the launcher's console does."""
    return f"{time.strftime('%H:%M:%S', time.localtime(at))}.{int(at % 1 * 1000):03d}"
