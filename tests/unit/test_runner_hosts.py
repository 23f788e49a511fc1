"""The files that start a runner on a host give it the same privileges, and time to drain."""

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from sandbox_runtime.commands import exit_codes
from sandbox_runtime.settings import worker_settings

ROOT = Path(__file__).parents[2]
FILES = ROOT / "infra" / "runner"
CLEAN_UP_SECS = 10
CAPABILITIES = {"SYS_ADMIN", "SYS_CHROOT", "SETUID", "SETGID", "SETPCAP", "CHOWN", "KILL"}


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    document = yaml_parse((FILES / "compose.yaml").read_text())
    found: dict[str, Any] = document["services"]["runner"]
    return found


@pytest.fixture(scope="module")
def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's names have capitals
    parser.read(FILES / "rustbox-runner.service")
    return parser["Service"]


def test_all_ways_to_start_a_runner_give_it_the_same_capabilities(
    service: dict[str, Any], unit: configparser.SectionProxy
) -> None:
    profile = (FILES / "apparmor.profile").read_text()
    page = (ROOT / "docs" / "runner.md").read_text()
    assert service["cap_drop"] == ["ALL"]
    assert set(service["cap_add"]) == CAPABILITIES
    assert {name.removeprefix("CAP_") for name in unit["CapabilityBoundingSet"].split()} == CAPABILITIES
    confined = {name.upper() for name in re.findall(r"^  capability (\w+),$", profile, re.MULTILINE)}
    # In user namespaces of its own, the maker of net namespaces has these too; over the host, nobody in the container.
    assert confined == CAPABILITIES | {"NET_ADMIN", "NET_BIND_SERVICE"}
    assert set(re.findall(r"--cap-add (\w+)", page)) == CAPABILITIES


def test_all_ways_leave_time_for_the_longest_drain(service: dict[str, Any], unit: configparser.SectionProxy) -> None:
    needed = {
        "INTERACTIVE_QUEUE_URL": "i",
        "BATCH_QUEUE_URL": "b",
        "COMPLETIONS_QUEUE_URL": "c",
        "PAYLOADS_BUCKET": "p",
    }
    longest = worker_settings(needed).visibility_secs - 1  # settings allow no longer DRAIN_SECS
    assert int(service["stop_grace_period"].removesuffix("s")) >= longest + CLEAN_UP_SECS
    assert int(unit["TimeoutStopSec"]) >= longest + CLEAN_UP_SECS
    assert unit["KillMode"] == "mixed"
    assert (service["restart"], unit["Restart"]) == ("unless-stopped", "always")


def test_container_has_no_more_than_the_runner_needs(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    files = {
        "RUNNER_TOKEN_FILE": "/etc/rustbox/runner-token",
        "TLS_CERT_FILE": "/etc/rustbox/tls.crt",
        "TLS_KEY_FILE": "/etc/rustbox/tls.key",
    }
    mounted = [f"${{{name}:-/dev/null}}:{path}:ro" for name, path in files.items()]
    assert service["volumes"] == ["files:/var/cache/rustbox", "/sys/fs/cgroup:/sys/fs/cgroup:rw", *mounted]
    # Plain HTTP is possible: without a certificate of the host these two are empty.
    only_where_given = {name: f"${{{name}:+{path}}}" for name, path in files.items() if name.startswith("TLS")}
    assert service["environment"] == files | only_where_given | {"FILES_DIR": "/var/cache/rustbox"}
    assert not {"privileged", "network_mode", "pid", "devices", "ports"} & service.keys()


def test_apparmor_profile_allows_mounts_and_is_the_one_that_compose_names() -> None:
    profile = (FILES / "apparmor.profile").read_text()
    assert re.search(r"^  mount,$", profile, re.MULTILINE)
    assert "deny mount" not in profile
    (name,) = re.findall(r"^profile (\S+) ", profile, re.MULTILINE)
    override = yaml_parse((FILES / "compose.apparmor.yaml").read_text())["services"]
    options = {"security_opt": [f"apparmor={name}"]}
    assert override == {"doctor": options, "runner": options}


def test_doctor_runs_before_the_worker_with_the_same_privileges(unit: configparser.SectionProxy) -> None:
    services = yaml_parse((FILES / "compose.yaml").read_text())["services"]
    assert services["runner"]["depends_on"] == {"doctor": {"condition": "service_completed_successfully"}}
    assert services["doctor"]["command"] == ["doctor"]
    shared = ("image", "user", "read_only", "tmpfs", "cap_drop", "cap_add", "security_opt", "cgroup")
    assert [services["doctor"][name] for name in shared] == [services["runner"][name] for name in shared]
    assert unit["ExecStartPre"].split()[-1] == "doctor"
    assert unit["ExecStartPre"].startswith("-")  # the worker itself refuses, and tells the service
    assert unit["ExecStartPre"].removeprefix("-").split()[:-1] == unit["ExecStart"].split()[:-1]


def test_the_container_of_the_whole_service_has_the_privileges_of_a_runner(service: dict[str, Any]) -> None:
    whole = yaml_parse((ROOT / "compose.yaml").read_text())["services"]["rustbox"]
    shared = ("user", "read_only", "tmpfs", "cap_drop", "cap_add", "cgroup")
    assert whole["security_opt"] == [*service["security_opt"], "apparmor=unconfined"]
    assert [whole[name] for name in shared] == [service[name] for name in shared]
    offered = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]["OfferedLanguages"]["Default"]
    assert whole["environment"]["RUSTBOX_PARAM_OfferedLanguages"] == f"${{LANGUAGES:-{offered}}}"
    assert whole["ports"] == ["127.0.0.1:${PORT:-4096}:${PORT:-4096}"]
    assert whole["volumes"] == ["state:/var/lib/rustbox-state", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    assert not {"privileged", "network_mode", "pid", "devices"} & whole.keys()


def test_command_of_the_unit_starts_a_worker(unit: configparser.SectionProxy) -> None:
    python, *arguments = shlex.split(unit["ExecStart"])
    assert python == "/usr/bin/python3"
    done = subprocess.run(
        [sys.executable, *arguments], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == exit_codes.USAGE
    assert "INTERACTIVE_QUEUE_URL is not set" in done.stderr + done.stdout
