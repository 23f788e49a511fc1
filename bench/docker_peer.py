"""`docker run`, if an engine is up: an image of four links, which shows the host's /usr, so that nothing is pulled."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

_IMAGE = "rustbox-bench-peer"
_LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}
_TIMEOUT_SECS = 60
VERSION_ARGV = ("docker", "version", "--format", "{{.Server.Version}}")


def run_argv(interpreter: str) -> tuple[str, ...]:
    """A container without network and privileges, for each program a new one."""
    return (
        *("docker", "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL"),
        *("--user", "65534:65534", "--security-opt", "no-new-privileges", "--memory", "256m", "--pids-limit", "10"),
        *("--volume", "/usr:/usr:ro", _IMAGE, interpreter, "-c"),
    )


def problem() -> str:
    """Why there can be no container, "" if there can."""
    try:
        subprocess.run(VERSION_ARGV, capture_output=True, timeout=_TIMEOUT_SECS, check=True)
    except (OSError, subprocess.SubprocessError):
        return "no engine is up"
    return ""


@contextmanager
def image() -> Iterator[None]:
    """Make the image if an engine is up; it is gone afterwards."""
    if shutil.which("docker") is None or problem():
        yield
        return
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, target in _LINKS.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
    _docker("import", "-", _IMAGE, stdin=archive.getvalue())
    try:
        yield
    finally:
        _docker("image", "rm", "--force", _IMAGE)


def _docker(*arguments: str, stdin: bytes = b"") -> None:
    """A failure shows when the first container does not start."""
    argv = ("docker", *arguments)
    subprocess.run(argv, input=stdin, capture_output=True, timeout=_TIMEOUT_SECS, check=False)
