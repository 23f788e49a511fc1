"""The example of a durable function, unmodified, over AWS's testing SDK: a run's webhook wakes it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.local_stack import API_KEY, LocalStack

ROOT = Path(__file__).parents[2]
CLIENTS = Path(__file__).parent / "durable_clients"


@pytest.mark.whole
@pytest.mark.timeout(600)
def test_a_durable_function_sleeps_until_the_webhook_of_its_run_wakes_it(stack: LocalStack, tmp_path: Path) -> None:
    python = str(tmp_path / "venv" / "bin" / "python")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True, timeout=120)
    install = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(CLIENTS / "python.txt")]
    subprocess.run(install, check=True, timeout=300)
    done = subprocess.run(
        [python, CLIENTS / "drive.py", ROOT / "examples" / "durable-function"],
        env={"RUSTBOX_URL": stack.url, "RUSTBOX_API_KEY": API_KEY, "WEBHOOK_SECRET": "a text of 24 bytes, or more"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["status"].endswith("SUCCEEDED")
    assert told["statuses"] == [401, 204]
    result = json.loads(told["result"])
    assert (result["verdict"], result["stdout"]) == ("AC", "42\n")
