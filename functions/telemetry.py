"""Logs and metrics, both as JSON lines on standard output.

Lines of an API request carry its correlation id by themselves (`http.resolver`). Everywhere else, and on other threads,
pass it: `log.info("Completion recorded", **row.log_ids)`. Other state on the logger would leak between requests.
Never pass code, stdin, output, headers or secrets. Never use an id as a dimension of a metric.
"""

import functools
import json
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from aws_lambda_powertools import Logger

from functions import VERSION
from functions.clock import now_ms

_DEFAULT_NAMESPACE = "Rustbox"
"""Outside a deployment. template.yaml sets one for each stage, so that stages of one account do not mix."""


_CREATING = threading.Lock()
"""Powertools sets up a logger of `logging` in steps. A second one of its name would take what is there by then."""


def logger(service: str) -> Logger:
    """Return the logger of one entry point; POWERTOOLS_LOG_LEVEL sets its level."""
    with _CREATING:
        return _logger(service)


@functools.cache
def _logger(service: str) -> Logger:
    return Logger(service=service, utc=True, version=VERSION)


def warn(log: Logger, phrase: str, ids: Mapping[str, Any], error: Exception, problem: str | None = None) -> None:
    """Log a failure that did not fail the request of a submission: the type of the error, never its text.

    `ids`: the correlation id and others. `problem`: a text of our own without any message content.
    """
    log.warning(phrase, **ids, error_type=type(error).__name__, problem=problem)


type Unit = Literal["Count", "Milliseconds", "Seconds"]


class Metric(NamedTuple):
    """One value. CloudWatch keeps a metric for each combination of dimensions, and each costs money.

    `properties` are in the line too, for CloudWatch Logs Insights.
    """

    name: str
    value: float = 1
    unit: Unit = "Count"
    dimensions: Mapping[str, str] = {}
    properties: Mapping[str, str] = {}


def are_by_language() -> bool:
    """Tell whether the operator pays for a metric of each language (`MetricsByLanguage`)."""
    return os.environ.get("METRICS_BY_LANGUAGE") == "true"


class Metrics:
    """Metrics of one entry point in CloudWatch's embedded metric format, written immediately.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """

    def __init__(self, service: str) -> None:
        self._service = service

    def add(self, name: str, value: float = 1, unit: Unit = "Count", **dimensions: str) -> None:
        """Write one value with the dimension `service` and the given ones."""
        self.write(Metric(name, value, unit, dimensions))

    def write(self, *values: Metric) -> None:
        """Write values in one line: CloudWatch bills the bytes of lines."""
        sys.stdout.write(json.dumps(self.fields(*values) | {"service": self._service}, separators=(",", ":")) + "\n")

    def fields(self, *values: Metric) -> dict[str, Any]:
        """Return what makes a line of this entry point's logger a metric too: `log.info("…", **fields)`."""
        namespace = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", _DEFAULT_NAMESPACE)
        described = [
            {
                "Namespace": namespace,
                "Dimensions": [["service", *metric.dimensions]],
                "Metrics": [{"Name": metric.name, "Unit": metric.unit}],
            }
            for metric in values
        ]
        fields: dict[str, Any] = {"_aws": {"Timestamp": now_ms(), "CloudWatchMetrics": described}}
        for metric in values:
            fields |= {**metric.properties, **metric.dimensions, metric.name: [float(metric.value)]}
        return fields


@functools.cache
def metrics(service: str) -> Metrics:
    """Return the metrics of one entry point."""
    return Metrics(service)
