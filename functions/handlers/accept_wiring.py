"""Wire the part that accepts submissions, for the entry points whose clients may wait."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from functions.aws.clients import Clients
from functions.aws.secrets import secret
from functions.clock import now_ms
from functions.submissions.accept.acceptance import Acceptance
from functions.submissions.accept.quota_admission import QuotaAdmission
from functions.submissions.accept.start import SubmissionStarter
from functions.submissions.run.direct_run import DirectRun
from functions.submissions.run.queues import Queues
from functions.submissions.run.runner_client import RunnerClient
from functions.webhooks.target.secret_box import SecretBoxes

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from functions.settings import SubmitSettings
    from functions.submissions.accept.kind import SubmissionKind
    from functions.submissions.complete.completer import Completer


def acceptance(settings: SubmitSettings, run_completer: Completer, kind: SubmissionKind, log: Logger) -> Acceptance:
    """Return the part that accepts one kind of submissions. `run_completer` writes the end of direct runs."""
    queues = Queues(Clients.sqs(), settings.interactive_queue_url, settings.batch_queue_url)
    direct = None
    if settings.runner_url:
        authority = functools.partial(secret, settings.runner_ca_parameter) if settings.runner_ca_parameter else None
        token = functools.partial(secret, settings.runner_token_parameter)
        runner = RunnerClient(settings.runner_url, token, authority)
        direct = DirectRun(runner, run_completer, queues, settings.completions_queue_url, log)
    admission = QuotaAdmission(run_completer.quotas, run_completer.submissions, now_ms, log)
    boxes = SecretBoxes(settings.endpoint_secrets_key_id, Clients.kms)
    store = run_completer.submissions
    redrive_secs = settings.pending_redrive_secs
    starter = SubmissionStarter(store, admission, kind, boxes, queues, redrive_secs, now_ms, log, direct)
    return Acceptance(settings, store, admission, kind, queues, starter, now_ms)
