"""Wire the part that applies the runners' messages."""

from botocore.exceptions import BotoCoreError, ClientError

from functions.aws.clients import Clients
from functions.checks.runs.hints import CheckHints
from functions.handlers.wiring import completer
from functions.settings import RecordSettings, SweepSettings
from functions.submissions.complete.record import Recorder
from functions.submissions.model import Submission
from functions.submissions.runners.runner_store import RunnerStore
from functions.telemetry import logger, warn


def recorder(settings: RecordSettings | SweepSettings, service: str) -> Recorder:
    """Return the part that applies the runners' messages."""
    hints = CheckHints(Clients.sqs(), settings.checks_queue_url)

    def hint_ended(final: Submission) -> None:
        try:
            hints.send_ended(final)
        except (ClientError, BotoCoreError) as error:
            warn(logger(service), "Hint for a check not sent; its schedule will find the end", final.log_ids, error)

    parts = completer(settings, service, hint_ended)
    runners = RunnerStore(settings.runners_table, Clients.dynamodb())
    return Recorder(parts, parts.submissions, parts.payloads, runners, parts.judge_runs)
