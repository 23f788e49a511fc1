"""Turns template.yaml into plain CloudFormation resources, with the translator that deployments use.

`python -m infra.local.translation TEMPLATE` does it in a process of its own, as the translator would keep
18 MB of the launcher's memory.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from infra.embedded.sqs_queues import url_of
from infra.local.settings import ACCOUNT_ID, REGION, ROOT, StartError
from infra.local.template import Template
from infra.sam_template import TemplateInvalidError, parameter_values, read
from infra.sam_template import translate as translate_sam

_TIMEOUT_SECS = 60
_CACHE: Final = ROOT / ".build" / "translated"
# The inputs of a translation beside the template. The first file has the translator's version.
_SOURCES: Final = ("requirements/run.txt", "infra/sam_template.py", "infra/local/translation.py")
_PREFIX: Final = "rustbox-local-"
_PSEUDO_PARAMETERS: Final = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "rustbox-local",
}


def translate(path: Path, overrides: dict[str, str]) -> Template:
    """Translate the SAM template at `path`, and leave out resources whose condition does not hold.

    It knows all attributes but those of which AWS decides: ids of keys, ARNs of streams.
    Raises StartError for a parameter that is unknown or has a bad value, and for a bad template.
    """
    document = _translated(path)
    try:
        parameters = parameter_values(document, overrides)
    except TemplateInvalidError as error:
        raise StartError(str(error)) from error
    template = Template(document["Resources"], _PSEUDO_PARAMETERS | parameters, document["Conditions"], {})
    kept = {
        logical_id: resource
        for logical_id, resource in template.resources.items()
        if "Condition" not in resource or template.condition(resource["Condition"])
    }
    values = {logical_id: _attributes(logical_id, resource["Type"]) for logical_id, resource in kept.items()}
    for logical_id, resource in kept.items():
        if resource["Type"] == "AWS::Lambda::Alias":  # the code of this machine has no versions
            values[logical_id]["Ref"] = values[resource["Properties"]["FunctionName"]["Ref"]]["Arn"]
    return replace(template, resources=kept, values=values)


def _attributes(logical_id: str, kind: str) -> dict[str, str]:
    """Names and ARNs follow from the logical id. The URL of a queue, its Ref, is that of the engine."""
    name = ref = f"{_PREFIX}{logical_id}"
    match kind:
        case "AWS::S3::Bucket":
            name = ref = name.lower()
            arn = f"arn:aws:s3:::{name}"
        case "AWS::DynamoDB::Table":
            arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{name}"
        case "AWS::Events::EventBus":
            arn = f"arn:aws:events:{REGION}:{ACCOUNT_ID}:event-bus/{name}"
        case "AWS::Lambda::Function":
            name = ref = logical_id
            arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"
        case "AWS::SQS::Queue":
            ref, arn = url_of(name), f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name}"
        case _:
            arn = f"arn:aws:local:{REGION}:{ACCOUNT_ID}:{name}"
    return {"Ref": ref, "Arn": arn, "Name": name, "QueueName": name, "Version": "$LATEST"}


def _translated(path: Path) -> dict[str, Any]:
    """Return the parts of the template that `main` writes: of an earlier translation, if nothing changed since."""
    sources = [path.read_bytes(), *((ROOT / name).read_bytes() for name in _SOURCES)]
    digest = hashlib.sha256(b"".join(hashlib.sha256(source).digest() for source in sources)).hexdigest()
    cached = _CACHE / f"{digest}.json"
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(cached.read_text(encoding="utf-8"))
        return found
    document = _translate(path)
    with suppress(OSError):  # a read-only installation translates at each start
        _CACHE.mkdir(parents=True, exist_ok=True)
        draft = _CACHE / f"{digest}.{os.getpid()}"
        draft.write_text(json.dumps(document), encoding="utf-8")
        draft.replace(cached)
    return document


def _translate(path: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(path)],
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
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise StartError(answer["error"])
    return answer


def main(path: Path) -> None:
    """Write the template, or `{"error": ...}`. References to parameters stay, so that the answer is good for all."""
    document = read(path)
    template = {name: document.get(name, {}) for name in ("Parameters", "Conditions", "Rules")}
    try:
        # The local stack imports the code from the tree.
        resources = translate_sam(copy.deepcopy(document), None, "s3://local/code")["Resources"]
        answer = template | {"Resources": resources}
    except TemplateInvalidError as error:
        answer = {"error": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
