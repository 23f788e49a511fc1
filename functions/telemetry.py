"""Logs and metrics, both as JSON lines on standard output.

Pass `correlation_id` (the submission id) and keys with every log call: `log.info("Submission accepted",
correlation_id=..., submission_id=...)`. State kept on the logger would leak between threads of the local stack.
Never pass code, stdin, output, headers or secrets. Never use an id as a dimension of a metric.
"""

import functools
import os

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

_DEFAULT_NAMESPACE = "Rustbox"
"""Outside a deployment. template.yaml sets one for each stage, so that stages of one account do not mix."""


@functools.cache
def logger(service: str) -> Logger:
    """Return the logger of one entry point; POWERTOOLS_LOG_LEVEL sets its level."""
    return Logger(service=service, utc=True)


def warn(log: Logger, phrase: str, submission_id: str, error: Exception, problem: str | None = None) -> None:
    """Log a failure that did not fail the request of a submission: the type of the error, never its text.

    `problem`: a text of our own without any message content.
    """
    log.warning(
        phrase,
        correlation_id=submission_id,
        submission_id=submission_id,
        error_type=type(error).__name__,
        problem=problem,
    )


class Metrics:
    """Metrics of one entry point in CloudWatch's embedded metric format, written immediately."""

    def __init__(self, service: str) -> None:
        self._service = service

    def add(self, name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count, **dimensions: str) -> None:
        """Write one value with the dimension `service` and the given ones."""
        namespace = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", _DEFAULT_NAMESPACE)
        with single_metric(name=name, unit=unit, value=value, namespace=namespace) as metric:
            metric.add_dimension(name="service", value=self._service)
            for dimension, text in dimensions.items():
                metric.add_dimension(name=dimension, value=text)


@functools.cache
def metrics(service: str) -> Metrics:
    """Return the metrics of one entry point."""
    return Metrics(service)
