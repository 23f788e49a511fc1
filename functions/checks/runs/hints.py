"""Hints: queue messages that name a run whose next step may be due. A lost hint costs a minute or two."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from events import MessageInvalidError
from functions.checks.keys import groups_pk, runs_pk
from functions.clock import MS_PER_SEC
from functions.telemetry import warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from functions.checks.runs.run import Run
    from functions.checks.settings.trigger_rows import SubmissionEnded
    from functions.env import Env
    from functions.submissions.completed_event import OnFinal
    from functions.submissions.model import Submission

_MOST_DELAY_SECS = 900  # of SQS
_CHECK_ID = re.compile(r"[0-9a-f-]{36}")
_POSITION = re.compile(r"[0-9TZ:.-]{24}#[0-9a-f-]{36}")


def read_message(text: str) -> dict[str, Any]:
    """Return the JSON object of a message. Raises MessageInvalidError."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise MessageInvalidError("", "must be a JSON object")
    return body


def message_of[Message](kind: type[Message], values: Mapping[str, Any]) -> Message:
    """Return the message that an object is. Raises MessageInvalidError."""
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError:
        raise MessageInvalidError("", f"not a whole {kind.__name__}") from None


@dataclass(frozen=True, slots=True)
class CheckHint:
    """The key of a run, or of a group. `has_ended`: the submission of the run is final.

    `due_at_ms`: the time for which the message of a group was sent; 0 in messages of an earlier version, and of runs.
    """

    pk: str
    sk: str
    has_ended: bool
    due_at_ms: int = 0


class CheckHints:
    """The queue of hints."""

    def __init__(self, env: Env) -> None:
        self._client = env.sqs
        self._queue_url = env.settings.checks_queue_url
        self._log, self._clock = env.log, env.clock

    def send(self, run: Run, delay_secs: int = 0) -> None:
        """Send the hint of a run. Raises the errors of SQS."""
        pk = runs_pk(run.project_id, run.check_id)
        self._send(run.project_id, asdict(CheckHint(pk, run.position, has_ended=False)), delay_secs)

    def try_send(self, run: Run) -> None:
        """Let a new run start now, or when its group lets it. Without the hint, the schedule starts it within a minute.

        A run that waits for the end of another one needs no hint.
        """
        try:
            if not run.is_waiting:
                self.send(run)
            elif run.group is not None and run.group.from_ms:
                pk = groups_pk(run.project_id, run.check_id)
                self.send_group(run.project_id, pk, run.group.name, run.group.from_ms)
        except (ClientError, BotoCoreError) as error:
            warn(self._log, "Hint not sent; the schedule will start the run", run.log_ids, error)

    def send_group(self, project_id: str, pk: str, name: str, due_at_ms: int) -> None:
        """Wake a group at this time, rounded up to seconds. Raises the errors of SQS."""
        delay_secs = max(0, -((self._clock() - due_at_ms) // MS_PER_SEC))
        self._send(project_id, asdict(CheckHint(pk, name, has_ended=False, due_at_ms=due_at_ms)), delay_secs)

    def try_send_next(self, run: Run, rows: Iterable[tuple[str, str]]) -> None:
        """Let the runs go on that the end of a run has started."""
        try:
            for pk, sk in rows:
                self._send(run.project_id, asdict(CheckHint(pk, sk, has_ended=False)))
        except (ClientError, BotoCoreError) as error:
            warn(self._log, "Hint not sent; the schedule will start the runs", run.log_ids, error)

    def send_ended(self, submission: Submission) -> None:
        """Send the hint of the check's run to which a final submission belongs, if there is one. It does not raise.

        Clients choose the metadata of their own submissions. So the hint names only runs of their project,
        and the run's row has the id of its submission.
        """
        check_id, position = submission.metadata.get("check_id", ""), submission.metadata.get("check_run", "")
        if not _CHECK_ID.fullmatch(check_id) or not _POSITION.fullmatch(position):
            return
        hint = CheckHint(runs_pk(submission.project_id, check_id), position, has_ended=True)
        try:
            self._send(submission.project_id, asdict(hint))
        except (ClientError, BotoCoreError) as error:
            text = "Hint for a check not sent; its schedule will find the end"
            warn(self._log, text, submission.log_ids, error)

    def send_submission(self, ended: SubmissionEnded) -> None:
        """Send the names of the checks that a submission starts. Raises the errors of SQS."""
        self._send(ended.project_id, asdict(ended))

    def _send(self, project_id: str, message: Mapping[str, Any], delay_secs: int = 0) -> None:
        self._client.send_message(
            QueueUrl=self._queue_url,
            MessageBody=json.dumps(message),
            MessageGroupId=project_id,
            DelaySeconds=min(delay_secs, _MOST_DELAY_SECS),
        )


def tell_checks(env: Env) -> OnFinal:
    """Return what tells the check that waits for a submission of its end."""
    return env[CheckHints].send_ended
