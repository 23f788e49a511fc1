"""Cold starts of the functions: a new process that has nothing but the deployed zip, unpacked as Lambda does."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.deploy.package import build, own_architecture
from infra.sam_template import read
from tests.bench.answers import Tally, WrongAnswerError
from tests.bench.machine import ROOT
from tests.bench.report import Figure, Section
from tests.bench.rounds import Way, interleave, series
from tests.bench.scale import Scale

FUNCTIONS = {"submit": "SubmitFunction", "result": "ResultFunction"}
_TIMEOUT_SECS = 60
_NOTES = [
    "Each timing is a new process with the unpacked zip, without Lambda's own start and download.",
    "The first call has no key, so it ends with 401: every part is made, AWS clients included; no service is called.",
]
# Argument: handler, event. Prints milliseconds of the import, milliseconds of the call, and the answer's status.
_PROGRAM = """
import importlib, json, sys, time
begun = time.perf_counter()
sys.path.insert(0, sys.argv[1])
handler = importlib.import_module(sys.argv[2]).handler
imported = time.perf_counter()
answer = handler(json.loads(sys.argv[3]), None)
ended = time.perf_counter()
sys.__stdout__.write(json.dumps([1e3 * (imported - begun), 1e3 * (ended - imported), answer["statusCode"]]))
"""


def run(scale: Scale, tally: Tally, peer_ways: Sequence[Way]) -> Section:
    """Build the zip for this machine's CPU, then start each function again and again."""
    with TemporaryDirectory() as folder:
        package = build(own_architecture())
        with zipfile.ZipFile(package.path) as archive:
            archive.extractall(folder)
            unpacked = sum(entry.file_size for entry in archive.infolist())
        pairs = [_ways(name, function, Path(folder)) for name, function in FUNCTIONS.items()]
        interleave([whole for whole, _ in pairs], scale.cold_starts, tally)
    for _, imports in pairs:
        del imports.times_ms[:1]  # of the round that is not counted
    return Section(
        title="Cold starts",
        missing=None,
        notes=_NOTES,
        series=series("New process", [way for pair in pairs for way in pair]),
        figures=[
            Figure(group="package", name="zipped", value=round(package.size / (1 << 20), 2), unit="MiB"),
            Figure(group="package", name="unpacked", value=round(unpacked / (1 << 20), 2), unit="MiB"),
        ],
    )


def _ways(name: str, function: str, folder: Path) -> list[Way]:
    def once() -> float:
        import_ms, call_ms = start(function, folder)
        imports.times_ms.append(import_ms)
        return import_ms + call_ms

    imports = Way(f"{name}, import alone", lambda: 0.0)
    return [Way(f"{name}, import and first call", once), imports]


def start(function: str, folder: Path) -> tuple[float, float]:
    """Return the milliseconds of import and first call. Raises WrongAnswerError."""
    properties = read(ROOT / "template.yaml")["Resources"][function]["Properties"]
    sample = "submit.json" if function == "SubmitFunction" else "result.json"
    event = json.loads((ROOT / "events" / "lambda" / sample).read_text())
    del event["headers"]["x-api-key"]
    arguments = (str(folder), properties["Handler"].removesuffix(".handler"), json.dumps(event))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-E", "-B", "-c", _PROGRAM, *arguments],
        env=_environment(properties),
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_SECS,
    )
    if done.returncode:
        raise WrongAnswerError(f"{function} did not start: {done.stderr.strip()[-200:]}")
    import_ms, call_ms, status = json.loads(done.stdout.splitlines()[-1])
    if status != 401:  # the request has no key
        raise WrongAnswerError(f"{function} answered {status}")
    return import_ms, call_ms


def _environment(properties: Mapping[str, dict[str, dict[str, str]]]) -> dict[str, str]:
    """Every variable that the template sets, with values that suit any type, and what Lambda itself sets."""
    names = [*properties["Environment"]["Variables"], "STAGE", "QUOTAS_TABLE"]
    switches = dict.fromkeys(("ALLOW_INSECURE_WEBHOOK_TARGETS", "ALLOW_RUNNER_HTTP"), "false")
    return (
        dict.fromkeys(names, "1")
        | switches
        | {
            "RUNNER_URL": "",
            "PATH": os.defpath,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_LAMBDA_FUNCTION_NAME": "cold",
        }
    )
