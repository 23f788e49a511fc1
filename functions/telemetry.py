"""Logs and metrics, both as JSON lines on standard output.

Lines of an API request carry its correlation id by themselves (`http.resolver`). Everywhere else, and on other threads,
pass it: `log.info("Completion recorded", **row.log_ids)`. Other state on the logger would leak between requests.
Never pass code, stdin, output, headers or secrets. Never use an id as a dimension of a metric.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from functions import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_NAMESPACE = "Rustbox"
"""Outside a deployment. template.yaml sets one for each stage, so that stages of one account do not mix."""


@functools.cache
def logger(service: str) -> Logger:
    """Return the logger of one entry point; POWERTOOLS_LOG_LEVEL sets its level."""
    return Logger(service=service, utc=True, version=VERSION)


def warn(log: Logger, phrase: str, ids: Mapping[str, Any], error: Exception, problem: str | None = None) -> None:
    """Log a failure that did not fail the request of a submission: the type of the error, never its text.

    `ids`: the correlation id and others. `problem`: a text of our own without any message content.
    """
    log.warning(phrase, **ids, error_type=type(error).__name__, problem=problem)


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
