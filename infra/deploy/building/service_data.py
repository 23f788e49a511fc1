"""botocore's descriptions of AWS services, cut down to the parts that the functions read.

A cold start parses them: without the other services and the documentation it takes a tenth less time.
"""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

AWS_SERVICES = ("dynamodb", "events", "kms", "s3", "sqs", "ssm")
"""Services that the functions call. botocore describes 400; their descriptions are two thirds of its size."""


def shorten(data: Path) -> None:
    """Cut down the folder `botocore/data`, in place."""
    for service in data.iterdir():
        if service.is_dir() and service.name not in AWS_SERVICES:
            shutil.rmtree(service)
    endpoints = data / "endpoints.json"
    described = json.loads(endpoints.read_bytes())
    for partition in described["partitions"]:
        partition["services"] = {name: of for name, of in partition["services"].items() if name in AWS_SERVICES}
    _write(endpoints, described)
    for packed in data.rglob("service-2.json.gz"):
        _write(packed.with_suffix(""), _without_documentation(json.loads(gzip.decompress(packed.read_bytes()))))
        packed.unlink()


def _without_documentation(node: Any) -> Any:
    """Return the node without its texts. A member of a shape that is named `documentation` is no text, and stays.

    The parameters of a client keep their texts: botocore reads them at each request to S3, and fails without them.
    """
    if isinstance(node, list):
        return [_without_documentation(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        name: part if name == "clientContextParams" else _without_documentation(part)
        for name, part in node.items()
        if name != "documentation" or not isinstance(part, str)
    }


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
