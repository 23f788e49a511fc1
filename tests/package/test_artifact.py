"""The zip of the functions works on Lambda, is small, and has the same bytes each time."""

import json
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from functions.aws.clients import Clients
from infra.deploy import building as packaging
from infra.deploy.building import (
    ARCHITECTURES,
    AWS_SERVICES,
    MAX_ZIPPED_BYTES,
    ONLY_OPERATIONS,
    ROOT,
    Package,
    build,
    own_architecture,
)
from infra.deploy.target import DeployError
from infra.sam_template import read
from tests.commands import run_to_end
from tests.emulator import emulator

FUNCTIONS = (
    *("SubmitFunction", "JudgeFunction", "DialectsFunction", "ResultFunction", "ManageFunction", "OperateFunction"),
    *("EndpointsFunction", "EventsFunction", "ChecksFunction", "ScheduleFunction", "RecordFunction"),
    *("AnnounceFunction", "WebhookFunction", "SweepFunction", "ReleaseFunction"),
)
OTHER_ARCHITECTURE = {"arm64": "x86_64", "x86_64": "arm64"}[own_architecture()]

# Runs with -I -S -E: no site-packages, no user directory, no PYTHONPATH. Only the artifact and the stdlib.
_IMPORT = """
import importlib, os, sys
PACKAGES = ("functions", "events", "boto3", "botocore", "msgspec", "pydantic", "aws_lambda_powertools")
artifact, module_name, attribute = sys.argv[1:]
sys.path.insert(0, artifact)
assert set(os.environ) <= {"LC_CTYPE"}, os.environ  # Python sets that one itself
handler = getattr(importlib.import_module(module_name), attribute)
assert callable(handler)
boto3 = sys.modules.get("boto3")
assert boto3 is None or not sys.modules["functions.aws.clients"]._session.cache_info().currsize, "a client was made"
for name, module in sys.modules.items():
    origin = getattr(module, "__file__", None)
    if name.split(".")[0] in PACKAGES:
        assert origin.startswith(artifact), (name, origin)
print("imported")
"""


def in_artifact(code: str, importable: Path) -> subprocess.CompletedProcess[str]:
    """Run code that has only the artifact, as its first argument, and the standard library."""
    return run_to_end([sys.executable, "-I", "-S", "-E", "-B", "-c", code, str(importable)], env={})


def test_the_zip_has_the_licence_of_every_library(importable: Path) -> None:
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    locked = {name.replace("-", "_") for name in re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)}
    folders = {folder.name.rpartition("-")[0].lower(): folder for folder in (importable / "licenses").iterdir()}
    assert folders.keys() == locked
    sizes = {name: max(file.stat().st_size for file in folder.iterdir()) for name, folder in folders.items()}
    assert min(sizes.values()) > 300, sizes


def test_every_function_of_the_template_is_covered(functions: dict[str, Any]) -> None:
    assert sorted(functions) == sorted(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_handler_imports_from_the_artifact_alone_with_an_empty_environment(
    function: str, functions: dict[str, Any], importable: Path
) -> None:
    module_name, _, attribute = functions[function]["Handler"].rpartition(".")
    finished = run_to_end(
        [sys.executable, "-I", "-S", "-E", "-B", "-c", _IMPORT, str(importable), module_name, attribute], env={}
    )
    assert (finished.returncode, finished.stdout) == (0, "imported\n"), finished.stderr


def test_the_artifact_signs_with_ed25519(importable: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from functions.webhooks.signature import new_private_key, parse_private_key;"
        "print(len(parse_private_key(new_private_key()).entry(b'content')))"
    )
    finished = in_artifact(code, importable)
    assert (finished.returncode, finished.stdout) == (0, "92\n"), finished.stderr


def test_every_module_of_the_artifact_imports_those_that_load_late_too(importable: Path) -> None:
    code = (
        "import importlib, pkgutil, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import functions\n"
        "names = [found.name for found in pkgutil.walk_packages(functions.__path__, 'functions.')]\n"
        "print(len([importlib.import_module(name) for name in names]))\n"
    )
    finished = in_artifact(code, importable)
    assert finished.returncode == 0, finished.stderr
    sources = [path for path in (importable / "functions").rglob("*.py") if path.name != "__init__.py"]
    assert int(finished.stdout) >= len(sources) > 10


def test_the_template_deploys_the_folder_of_the_package_on_the_python_it_was_compiled_for() -> None:
    shared = read(packaging.ROOT / "template.yaml")["Globals"]["Function"]
    assert shared["Runtime"] == f"python{packaging.RUNTIME}"
    assert packaging.ROOT / shared["CodeUri"] == packaging.BUILD_DIR / "functions.zip"


def test_zip_is_within_its_budget(package: Package) -> None:
    assert 1024 * 1024 < package.size == package.path.stat().st_size <= MAX_ZIPPED_BYTES == 8_000_000


def test_a_zip_over_its_budget_is_refused(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaging, "MAX_ZIPPED_BYTES", package.size - 1)
    with pytest.raises(DeployError, match=f"has {package.size:,} bytes, the limit is"):
        build(own_architecture())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_libraries_have_their_segments_and_no_sections(architecture: str, packages: dict[str, Package]) -> None:
    with zipfile.ZipFile(packages[architecture].path) as archive:
        libraries = [archive.read(name) for name in archive.namelist() if name.endswith(".so")]
    assert len(libraries) == 5
    for library in libraries:
        (first,), (size, count) = struct.unpack_from("<Q", library, 32), struct.unpack_from("<HH", library, 54)
        segments = [struct.unpack_from("<IIQQQQ", library, first + index * size) for index in range(count)]
        assert max(offset + stored for kind, _, offset, _, _, stored in segments if kind == 1) == len(library)
        assert (library[40:48], library[60:64]) == (bytes(8), bytes(4))


# Arguments: the artifact. Prints whether docstrings are there: of a module, class, function and dataclass of libraries,
# and of a module and a function of ours.
_DOCUMENTED = """
import sys; sys.path.insert(0, sys.argv[1])
import annotated_types, botocore.client, botocore.session
from functions import settings
libraries = botocore.client, botocore.session.Session, botocore.session.get_session, annotated_types.Gt
print([bool(one.__doc__) for one in (*libraries, settings, settings.load_settings)])
"""


def test_libraries_have_no_docstrings_but_those_of_dataclasses(importable: Path) -> None:
    finished = in_artifact(_DOCUMENTED, importable)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "[False, False, False, True, True, True]\n"


def test_zip_holds_our_code_as_a_package_and_no_tests_or_runner(importable: Path) -> None:
    assert (importable / "functions" / "__init__.py").is_file()
    assert (importable / "functions" / "handlers" / "__init__.py").is_file()
    assert not [
        name for name in ("sandbox_runtime", "infra", "tests", "moto", "pytest") if (importable / name).exists()
    ]


def test_the_zip_has_the_modules_of_the_contract_and_none_of_its_golden_messages(importable: Path) -> None:
    modules = {path.name for path in (ROOT / "events").glob("*.py")}
    assert {path.name for path in (importable / "events").iterdir()} == {*modules, "__pycache__"}


def test_zip_describes_exactly_the_aws_services_that_the_functions_call(importable: Path) -> None:
    described = {path.name for path in (importable / "botocore" / "data").iterdir() if path.is_dir()}
    # One service may have a second client, as s3_signing.
    clients = {name.partition("_")[0] for name, member in vars(Clients).items() if isinstance(member, staticmethod)}
    assert described == set(AWS_SERVICES) == clients


# Arguments: the artifact, or nothing for the installed botocore. Prints endpoints and shapes as JSON.
_DESCRIBE = """
import json, sys
services, regions, *artifact = sys.argv[1:]
sys.path[:0] = artifact
import botocore.session
session = botocore.session.get_session()
assert not artifact or botocore.__file__.startswith(artifact[0]), botocore.__file__
described = {}
for service in services.split(","):
    model = session.get_service_model(service)
    shapes = {name: (shape.type_name, shape.metadata, sorted(getattr(shape, "members", ())))
              for name, shape in ((name, model.shape_for(name)) for name in model.shape_names)}
    urls = [session.create_client(service, region).meta.endpoint_url for region in regions.split(",")]
    described[service] = (sorted(model.operation_names), shapes, urls)
print(json.dumps(described, sort_keys=True))
"""


def test_the_shortened_descriptions_have_the_operations_shapes_and_endpoints_of_botocore(importable: Path) -> None:
    asked = [",".join(AWS_SERVICES), "us-east-1,eu-central-1,us-gov-west-1,cn-north-1"]
    shortened, installed = (
        run_to_end(
            [sys.executable, *isolated, "-c", _DESCRIBE, *asked, *artifact],
            env={"AWS_EC2_METADATA_DISABLED": "true"},
            check=True,
        ).stdout
        for isolated, artifact in ((["-I", "-S", "-E", "-B"], [str(importable)]), (["-I"], []))
    )
    cut, whole = json.loads(shortened), json.loads(installed)
    assert len(cut["dynamodb"][1]) > 100
    for name, operation in ONLY_OPERATIONS.items():
        operations, shapes, *endpoints = cut.pop(name)
        _, all_shapes, *all_endpoints = whole.pop(name)
        assert (operations, endpoints) == ([operation], all_endpoints)
        assert 0 < len(shapes) < len(all_shapes)
    assert cut == whole
    data = importable / "botocore" / "data"
    partitions = json.loads((data / "endpoints.json").read_bytes())["partitions"]
    assert {name for partition in partitions for name in partition["services"]} == set(AWS_SERVICES)
    assert "documentation" not in json.loads((data / "sqs" / "2012-11-05" / "service-2.json").read_bytes())


# Each client of the functions makes one request. Prints whether these are all clients.
_REQUEST = """
import sys, urllib.request
sys.path.insert(0, sys.argv[1])
from functions.aws.clients import Clients
clients = {name: getattr(Clients, name)() for name, member in vars(Clients).items() if isinstance(member, staticmethod)}
clients["s3"].create_bucket(Bucket="requests")
requests = {
    "dynamodb": ("list_tables", {}),
    "sqs": ("create_queue", {"QueueName": "requests"}),
    "events": ("put_events", {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "{}"}]}),
    "kms": ("create_key", {}),
    "s3": ("put_object", {"Bucket": "requests", "Key": "a", "Body": b"content"}),
}
for name, (operation, arguments) in requests.items():
    getattr(clients[name], operation)(**arguments)
refused = {
    "ssm": ("get_parameter", {"Name": "/nothing"}),
    "codedeploy": ("put_lifecycle_event_hook_execution_status", {"deploymentId": "d-1", "status": "Failed"}),
}
for name, (operation, arguments) in refused.items():
    try:
        getattr(clients[name], operation)(**arguments)
    except clients[name].exceptions.ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] >= 400
url = clients["s3_signing"].generate_presigned_url("get_object", Params={"Bucket": "requests", "Key": "a"})
assert urllib.request.urlopen(url, timeout=10).read() == b"content"
print(sorted(clients) == sorted({*requests, *refused, "s3_signing"}))
"""


def test_every_client_of_the_functions_makes_a_request_with_the_shortened_descriptions(
    importable: Path, tmp_path: Path
) -> None:
    with emulator(tmp_path) as aws:
        finished = run_to_end(
            [sys.executable, "-I", "-S", "-B", "-c", _REQUEST, str(importable)],
            env={
                "AWS_ENDPOINT_URL": aws.url,
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
            },
        )
    assert (finished.returncode, finished.stdout) == (0, "True\n"), finished.stderr


def test_every_module_is_compiled_and_only_ours_have_sources(importable: Path) -> None:
    sources = {path.relative_to(importable) for path in importable.rglob("*.py")}
    assert {path.parts[0] for path in sources} == {"functions", "events"}
    assert len(sources) > 100
    for source in sources:
        assert (importable / source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc").is_file()
    assert (importable / "boto3" / "session.pyc").is_file()


@pytest.mark.parametrize("with_libraries", [False, pytest.param(True, marks=pytest.mark.whole)])
def test_the_same_sources_give_the_same_bytes_in_another_folder(
    package: Package, tmp_path: Path, *, with_libraries: bool
) -> None:
    if not with_libraries:
        for made in package.path.parent.glob(f"dependencies-{own_architecture()}-*"):
            (tmp_path / made.name).symlink_to(made)
    again = build(own_architecture(), tmp_path)
    assert again.path != package.path
    assert again.digest == package.digest


def test_the_other_architecture_gets_its_own_libraries(packages: dict[str, Package]) -> None:
    with zipfile.ZipFile(packages[OTHER_ARCHITECTURE].path) as archive:
        heads = {name: archive.read(name)[:20] for name in archive.namelist() if name.endswith(".so")}
    assert "nacl/_sodium.abi3.so" in heads
    assert any(name.startswith("msgspec/_core.") for name in heads)
    machine = {"arm64": 183, "x86_64": 62}[OTHER_ARCHITECTURE]  # e_machine of an ELF file
    assert {name: int.from_bytes(head[18:], "little") for name, head in heads.items()} == dict.fromkeys(heads, machine)
