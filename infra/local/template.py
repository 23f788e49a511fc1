"""template.yaml as plain CloudFormation resources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from infra.local.errors import StartError
from infra.local.intrinsics import Resolver
from infra.local.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_TIMEOUT_SECS = 60


@dataclass(frozen=True, slots=True)
class Template:
    """Translated resources by logical id, still with intrinsics; parameter values; raw conditions."""

    resources: dict[str, dict[str, Any]]
    parameters: dict[str, str]
    conditions: dict[str, Any]


def translate(path: Path, overrides: dict[str, str]) -> Template:
    """Translate the SAM template at `path`, and leave out resources whose condition does not hold.

    StartError for an unknown parameter or a bad template.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "infra.local.translation"],
            input=json.dumps({"path": str(path), "overrides": overrides}),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECS,
        )
    except subprocess.TimeoutExpired as error:
        raise StartError(f"{path.name} was not translated within {_TIMEOUT_SECS} s: start again") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise StartError(f"{path.name} was not translated: {reason}: run `make setup`")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise StartError(answer["error"])
    template = Template(**answer["template"])
    resolver = Resolver(template.parameters, template.conditions, {})
    kept = {
        logical_id: resource
        for logical_id, resource in template.resources.items()
        if "Condition" not in resource or resolver.condition(resource["Condition"])
    }
    return replace(template, resources=kept)
