"""The artifacts of a deployment: the zip that all functions share, and the runner's image.

The same inputs give the same bytes of the zip, so that an unchanged one is neither uploaded nor deployed again.
"""

import base64
import gzip
import hashlib
import json
import platform
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.target import DeployError, Progress, Target

# The zip that all functions share: our code and the locked dependencies, compiled.
#
# The same inputs give the same bytes, so that an unchanged package is neither uploaded nor deployed again.

# botocore's descriptions of AWS services, cut down to the parts that the functions read.
#
# A cold start parses them: without the other services and the documentation it takes a tenth less time.

AWS_SERVICES = ("codedeploy", "dynamodb", "events", "kms", "s3", "sqs", "ssm")
"""Services that the functions call. botocore describes 400; their descriptions are two thirds of its size."""
ONLY_OPERATIONS = {"codedeploy": "PutLifecycleEventHookExecutionStatus", "ssm": "GetParameter"}
"""Services of which the functions call one operation: the descriptions of all others stay out of the zip."""


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
        described = _without_documentation(json.loads(gzip.decompress(packed.read_bytes())))
        if only := ONLY_OPERATIONS.get(packed.parents[1].name):
            described = _with_one_operation(described, only)
        _write(packed.with_suffix(""), described)
        packed.unlink()


def _with_one_operation(described: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the description of a service with one operation, and the shapes that it leads to."""
    kept: dict[str, Any] = {}
    waiting = [described["operations"][name]]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting += node.values()
            shape = node.get("shape")
            if isinstance(shape, str) and shape not in kept:
                kept[shape] = described["shapes"][shape]
                waiting.append(kept[shape])
        elif isinstance(node, list):
            waiting += node
    return described | {"operations": {name: described["operations"][name]}, "shapes": kept}


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


ROOT = Path(__file__).resolve().parents[2]
BUILD_DIR = ROOT / ".build"
ARCHITECTURES = ("arm64", "x86_64")
MAX_ZIPPED_BYTES = 8_000_000
RUNTIME = "3.13"
"""The Python of `Runtime` in template.yaml. Compiled files are for this version only."""

_PIP_SECS = 300
_MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
# Lambda's Python 3.13 runs on Amazon Linux 2023, which has glibc 2.34.
_GLIBC_MINORS = (17, 28, 34)
_NEVER_SHIPPED = (
    *("*.dist-info", "bin", "__pycache__", "*.pyi", "py.typed", "examples", "examples-1.json"),
    # PyNaCl needs cffi's compiled module only.
    *("cffi", "pycparser"),
    # Pages that Powertools could serve, and time zones for functions of dateutil that botocore does not call.
    *("swagger-ui-bundle.min.js", "swagger-ui.min.css", "dateutil-zoneinfo.tar.gz"),
    # Sources and tables of time zones: zoneinfo reads a compiled file for each.
    *("tzdata.zi", "zone.tab", "zone1970.tab", "zonenow.tab", "iso3166.tab", "leapseconds"),
    # Version 1 of pydantic, which version 2 imports for classes of version 1 only, and its plugin for mypy.
    *("v1", "mypy.py"),
    # urllib3 in a browser, over PyOpenSSL (botocore does without it) and SOCKS; transfers of files by many processes.
    *("emscripten", "pyopenssl.py", "socks.py", "processpool.py"),
    # Repeated dates, of dateutil. boto3 imports `crt.py` where the host has that library.
    *("rrule.py", "easter.py"),
)
_UNUSED_UTILITIES = (
    *("auth_alpha", "circuit_breaker", "data_masking", "feature_flags", "idempotency", "kafka"),
    *("batch", "metadata", "parameters", "parser", "streaming", "validation"),
)
"""Features of Powertools, each a folder in `utilities`, that the functions do not use."""
# Our licences to ship the libraries ask for these texts. Wheels have them in their metadata.
_LICENCE_FILES = ("LICEN[CS]E*", "NOTICE*", "COPYING*")
_TASK_ROOT = Path("/var/task")
_PACKAGES = ("functions", "events")
"""Our own code."""
# Arguments: folder, its name on Lambda, whether sources and docstrings stay. The flag is that of UNCHECKED_HASH: the
# interpreter does not compare the compiled files with their sources, whose dates are lost in the zip.
# A class with a decorator may be a dataclass. Without a docstring it writes one at import, from its signature.
_COMPILER = """
import ast, importlib.util, marshal, pathlib, sys
tree, name, keep = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3] == "True"
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
for source in sorted(tree.rglob("*.py")):
    content = source.read_bytes()
    module = ast.parse(content)
    for node in ast.walk(module):
        if not keep and isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            if not (isinstance(node, ast.ClassDef) and node.decorator_list):
                node.body[0] = ast.copy_location(ast.Pass(), node.body[0])
                del node.body[: len(node.body) > 1]  # `from __future__` must come first
    code = compile(module, str(name / source.relative_to(tree)), "exec", dont_inherit=True)
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(content)
    target = pathlib.Path(importlib.util.cache_from_source(source)) if keep else source.with_suffix(".pyc")
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(head + marshal.dumps(code))
"""
_LOADED = 1  # PT_LOAD
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Package:
    """A built zip. `digest`: its SHA-256 in hexadecimal."""

    path: Path
    digest: str
    size: int


def own_architecture() -> str:
    """Return Lambda's name for the CPU of this machine."""
    return next(name for name, machine in _MACHINES.items() if machine == platform.machine())


def build(architecture: str, build_dir: Path = BUILD_DIR) -> Package:
    """Build `functions-<architecture>.zip` in `build_dir`. Raises DeployError."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" != RUNTIME:
        raise DeployError(
            f"the package needs Python {RUNTIME} to compile its files, and this is {platform.python_version()}: "
            f"run `RUSTBOX_PYTHON=/usr/bin/python{RUNTIME} make setup`"
        )
    build_dir.mkdir(parents=True, exist_ok=True)
    dependencies = _dependencies(architecture, build_dir)
    target = build_dir / f"functions-{architecture}.zip"
    with TemporaryDirectory(dir=build_dir) as folder:
        trees = {Path(): dependencies}
        for name in _PACKAGES:
            code = trees[Path(name)] = Path(folder) / name
            shutil.copytree(ROOT / name, code, ignore=_ignored(name))
            _compile(code, Path(name), keep_sources=True)
        written = Path(folder) / "functions.zip"
        _zip(trees, written)
        written.rename(target)
    package = Package(target, hashlib.sha256(target.read_bytes()).hexdigest(), target.stat().st_size)
    if package.size > MAX_ZIPPED_BYTES:
        raise DeployError(
            f"{target.name} has {package.size:,} bytes, the limit is {MAX_ZIPPED_BYTES:,}: "
            "leave out files in infra/deploy/building.py, or raise the limit there"
        )
    return package


def _ignored(package: str) -> Callable[[str, list[str]], set[str]]:
    """Return which files `copytree` leaves out. Schemas and golden messages of `events` are for tests."""
    return shutil.ignore_patterns("__pycache__", *(["*.json"] if package == "events" else []))


def _dependencies(architecture: str, build_dir: Path) -> Path:
    """Return the folder with the compiled dependencies, made anew only if the lock or this module has changed."""
    lock = ROOT / "requirements.txt"
    inputs = (lock, Path(__file__))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:16]
    folder = build_dir / f"dependencies-{architecture}-{digest}"
    if folder.is_dir():
        return folder
    with TemporaryDirectory(dir=build_dir) as partial:
        installed, shipped = Path(partial) / "installed", Path(partial) / "shipped"
        _install(lock, architecture, installed)
        shutil.copytree(installed, shipped, ignore=shutil.ignore_patterns(*_NEVER_SHIPPED))
        shorten(shipped / "botocore" / "data")
        shutil.rmtree(shipped / "boto3" / "data")  # resources and examples, which the functions do not use
        for name in _UNUSED_UTILITIES:
            shutil.rmtree(shipped / "aws_lambda_powertools" / "utilities" / name)
        for library in shipped.rglob("*.so"):
            library.write_bytes(_without_debug_sections(library.read_bytes()))
        _compile(shipped, Path(), keep_sources=False)
        _copy_licences(installed, shipped / "licenses")
        shipped.rename(folder)
    return folder


def _without_debug_sections(library: bytes) -> bytes:
    """Return a 64-bit ELF library that ends where its last loaded segment does, and has no table of sections.

    The loader reads segments only. The symbols and debug information behind them were an eighth of the zip. The `strip`
    of a host knows its own CPU only.
    """
    (first,), (size, count) = struct.unpack_from("<Q", library, 32), struct.unpack_from("<HH", library, 54)
    segments = [struct.unpack_from("<IIQQQQ", library, first + index * size) for index in range(count)]
    end = max(offset + stored for kind, _, offset, _, _, stored in segments if kind == _LOADED)
    # The header names the offset of the table of sections, their number, and the section of their names.
    return b"".join((library[:40], bytes(8), library[48:60], bytes(4), library[64:end]))


def _copy_licences(installed: Path, target: Path) -> None:
    """Copy the licence texts of each library into a folder with its name and version."""
    for metadata in installed.glob("*.dist-info"):
        texts = [path for pattern in _LICENCE_FILES for path in metadata.rglob(pattern) if path.is_file()]
        if not texts:
            raise DeployError(f"{metadata.stem} has no licence text: read its terms, then change this module")
        folder = target / metadata.stem
        folder.mkdir(parents=True)
        for text in texts:
            shutil.copy(text, folder / text.name)


def _install(lock: Path, architecture: str, folder: Path) -> None:
    platforms = [f"--platform=manylinux_2_{minor}_{_MACHINES[architecture]}" for minor in _GLIBC_MINORS]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
        *("--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation=cp", f"--python-version={RUNTIME}"),
        *(*platforms, f"--platform=manylinux2014_{_MACHINES[architecture]}"),
        *(f"--requirement={lock}", f"--target={folder}"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PIP_SECS)
    except subprocess.TimeoutExpired as error:
        raise DeployError(f"pip took over {_PIP_SECS} s: check the package index, then repeat") from error
    if done.returncode:
        raise DeployError(f"pip cannot install requirements.txt for {architecture}:\n{done.stderr.strip()}")


def _compile(tree: Path, name: Path, *, keep_sources: bool) -> None:
    """Compile every module of a folder that the zip holds as `name`. Sources of our own code stay, for tracebacks.

    Lambda's file system is read-only, so a function without compiled files compiles its sources at each cold start.
    """
    # A process of its own: the bytes depend on which strings the compiling process has seen before.
    # Libraries have line numbers without columns, which only the marks below a line of their sources would show.
    options = () if keep_sources else ("-X", "no_debug_ranges")
    command = (sys.executable, *options, "-S", "-s", "-P", "-c", _COMPILER)
    done = subprocess.run(
        [*command, str(tree), str(_TASK_ROOT / name), str(keep_sources)],
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_PIP_SECS,
    )
    if done.returncode:
        raise DeployError(f"a module of {tree.name} does not compile:\n{done.stderr.strip()}")
    if not keep_sources:
        for source in tree.rglob("*.py"):
            source.unlink()


def _zip(trees: dict[Path, Path], target: Path) -> None:
    """Write folders to a zip, each under its name there, in sorted order and without dates."""
    files = {name / path.relative_to(tree): path for name, tree in trees.items() for path in tree.rglob("*")}
    with zipfile.ZipFile(target, "w") as archive:
        for name, path in sorted(files.items()):
            if path.is_file():
                entry = zipfile.ZipInfo(name.as_posix(), _FIRST_DATE)
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, compresslevel=9)


# The runner's image: built by Docker, pushed to ECR under the hash of its sources, used by its digest.

REPOSITORY = "rustbox-runner"
BASE_IMAGE = "debian:trixie-slim"
SOURCES = ("sandbox_runtime/**/*", "events/*.py")
"""Files of the repository that the image is made of."""
_PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}
_KEPT_IMAGES = 20
_BUILD_SECS = 3600
_LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "old images go",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": _KEPT_IMAGES},
            "action": {"type": "expire"},
        }
    ]
}


def ensure_image(target: Target, architecture: str, base_image: str, progress: Progress) -> str:
    """Return the image's address by digest. Builds and pushes it only after a change. Raises DeployError."""
    ecr: Any = target.client("ecr")
    repository = _ensure_repository(ecr)
    tag = f"{architecture}-{source_digest(ROOT, base_image)}"
    digest = _image_digest(ecr, tag)
    if digest is None:
        address = f"{repository}:{tag}"
        _log_in(ecr, repository)
        progress.step("image", f"building for {_PLATFORMS[architecture]} on {base_image}; this takes some minutes")
        docker(["build", "--platform", _PLATFORMS[architecture], "--tag", address, *build_arguments(base_image)])
        docker(["push", address])
        digest = _image_digest(ecr, tag)
        if digest is None:
            raise DeployError(f"ECR has no image {address} after docker pushed it: repeat the command")
    else:
        progress.step("image", f"{tag} exists")
    return f"{repository}@{digest}"


def build_arguments(base_image: str) -> list[str]:
    """Return the end of a `docker build`: the base image, the Dockerfile and the context."""
    return [
        "--build-arg",
        f"BASE_IMAGE={base_image}",
        "--file",
        str(ROOT / "sandbox_runtime" / "Dockerfile"),
        str(ROOT),
    ]


def source_digest(root: Path, base_image: str) -> str:
    """Hash everything that the image is made of: file names, contents and the name of the base image."""
    hashed = hashlib.sha256(base_image.encode())
    for path in sorted(path for pattern in SOURCES for path in root.glob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts:
            name, content = str(path.relative_to(root)).encode(), path.read_bytes()
            hashed.update(b"%d %d " % (len(name), len(content)) + name + content)
    return hashed.hexdigest()[:32]


def _ensure_repository(ecr: Any) -> str:
    try:
        made = ecr.create_repository(
            repositoryName=REPOSITORY,
            imageTagMutability="IMMUTABLE",
            imageScanningConfiguration={"scanOnPush": True},
        )["repository"]
        ecr.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=json.dumps(_LIFECYCLE))
    except ecr.exceptions.RepositoryAlreadyExistsException:
        made = ecr.describe_repositories(repositoryNames=[REPOSITORY])["repositories"][0]
    return str(made["repositoryUri"])


def _image_digest(ecr: Any, tag: str) -> str | None:
    try:
        found = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])["imageDetails"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ImageNotFoundException":
            return None
        raise
    return str(found[0]["imageDigest"]) if found else None


def _log_in(ecr: Any, repository: str) -> None:
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    docker(["login", "--username", user, "--password-stdin", repository.partition("/")[0]], password)


def docker(arguments: list[str], stdin: str = "") -> None:
    """Run a command of Docker. Raises DeployError."""
    command = shutil.which("docker")
    if command is None:
        raise DeployError("the image needs Docker: install it on this machine")
    try:
        done = subprocess.run(
            [command, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=_BUILD_SECS
        )
    except subprocess.TimeoutExpired as error:
        raise DeployError(f"docker {arguments[0]} took over {_BUILD_SECS} s: repeat the command") from error
    if done.returncode:
        raise DeployError(f"docker {arguments[0]} failed:\n{done.stderr.strip()[-2000:]}")
