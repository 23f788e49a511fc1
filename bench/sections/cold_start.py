"""Cold starts of the functions: a new process that has nothing but the deployed zip, unpacked as Lambda does."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.answers import Tally, WrongAnswerError
from bench.engine_server import Account, account
from bench.machine import ROOT
from bench.report import Figure, Section
from bench.rounds import Way, interleave, series
from bench.scale import Scale
from infra.deploy.building import build, own_architecture
from infra.sam_template import read
from tests.adapters.aws_account import API_KEY
from tests.adapters.http_calls import event, post

_TIMEOUT_SECS = 60
_PROGRAM = {"language": "python", "code": "print(42)"}
_NOTES = [
    "Each timing is a new process with the unpacked zip, without Lambda's own start and download.",
    "The first call has a key: submit ends with 202, its row and message written; result with a pending submission.",
    "Of each other function, the import alone: all that it imports before its first event.",
    "The services are the local stack's engine behind HTTP on this machine; their time is in the call.",
    "Target: at most 400 ms. CPU: of the new process, the start of Python included.",
]
# Arguments: folder, module, event or null. Prints milliseconds of the import, of the call, of CPU time; and the status.
_CODE = """
import importlib, json, sys, time
begun = time.perf_counter()
sys.path.insert(0, sys.argv[1])
handler = importlib.import_module(sys.argv[2]).handler
imported = time.perf_counter()
event = json.loads(sys.argv[3])
answer = handler(event, None) if event else {"statusCode": None}
ended = time.perf_counter()
times = [1e3 * (imported - begun), 1e3 * (ended - imported), 1e3 * time.process_time()]
sys.__stdout__.write("\\n" + json.dumps([*times, answer["statusCode"]]))
"""


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Build the zip for this machine's CPU, then start each function again and again."""
    del peer_ways
    with TemporaryDirectory() as folder, account() as served:
        package = build(own_architecture())
        with zipfile.ZipFile(package.path) as archive:
            archive.extractall(folder)
            unpacked = sum(entry.file_size for entry in archive.infolist())
        submission_id = post(API_KEY, _PROGRAM).json["id"]
        key = {"x-api-key": API_KEY, "content-type": "application/json"}
        submit = event("POST", "/api/submit", headers=key, body=json.dumps(_PROGRAM))
        result = event("GET", f"/api/result/{submission_id}", headers=key)
        asked: dict[str, tuple[Mapping[str, Any] | None, int | None]]
        asked = {"SubmitFunction": (submit, 202), "ResultFunction": (result, 200)}
        resources = read(ROOT / "template.yaml")["Resources"].items()
        functions = [name for name, declared in resources if declared["Type"] == "AWS::Serverless::Function"]
        starts = [ColdStart(name, *asked.get(name, (None, None)), Path(folder), served) for name in functions]
        parts = [start.ways() for start in sorted(starts, key=lambda start: start.function not in asked)]
        interleave([whole for whole, *_ in parts], scale.cold_starts, tally)
    for _, *others in parts:
        for way in others:
            del way.times_ms[:1]  # of the round that is not counted
    return Section(
        title="Cold starts",
        missing=None,
        notes=_NOTES,
        series=series("New process", [way for ways in parts for way in ways]),
        figures=[
            Figure(group="package", name="zipped", value=round(package.size / (1 << 20), 2), unit="MiB"),
            Figure(group="package", name="unpacked", value=round(unpacked / (1 << 20), 2), unit="MiB"),
        ],
    )


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One function and its first event, if any, which it must answer with `status`."""

    function: str
    made: Mapping[str, Any] | None
    status: int | None
    folder: Path
    served: Account

    def ways(self) -> list[Way]:
        """Return the whole, and from the same processes the import alone if there is a first call, and the CPU time."""
        name = self.function.removesuffix("Function").lower()
        imports, cpu = Way(f"{name}, import alone", lambda: 0.0), Way(f"{name}, CPU", lambda: 0.0)

        def once() -> float:
            import_ms, call_ms, cpu_ms = self.start()
            imports.times_ms.append(import_ms)
            cpu.times_ms.append(cpu_ms)
            return import_ms + call_ms

        if self.made is None:
            return [Way(imports.name, once), cpu]
        return [Way(f"{name}, import and first call", once), imports, cpu]

    def start(self) -> tuple[float, float, float]:
        """Return the milliseconds of import, first call and CPU. Raises WrongAnswerError."""
        properties = read(ROOT / "template.yaml")["Resources"][self.function]["Properties"]
        module = properties["Handler"].removesuffix(".handler")
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-E", "-B", "-c", _CODE, str(self.folder), module, json.dumps(self.made)],
            env=self._environment(properties["Environment"]["Variables"]),
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECS,
        )
        if done.returncode:
            raise WrongAnswerError(f"{self.function} did not start: {done.stderr.strip()[-200:]}")
        import_ms, call_ms, cpu_ms, status = json.loads(done.stdout.splitlines()[-1])
        if status != self.status:
            raise WrongAnswerError(f"{self.function} answered {status}")
        return import_ms, call_ms, cpu_ms

    def _environment(self, declared: Mapping[str, object]) -> dict[str, str]:
        """The variables that the template and Lambda set."""
        return {
            **{name: self.served.environment[name] for name in (*declared, "STAGE", "QUOTAS_TABLE")},
            "PATH": os.defpath,
            "AWS_ENDPOINT_URL": self.served.url,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_LAMBDA_FUNCTION_NAME": "cold",
        }
