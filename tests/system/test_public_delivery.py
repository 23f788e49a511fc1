"""`make serve` delivers over TLS to public addresses only, to hosts whose certificate is for their name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.local_stack import ROOT
from tests.system.public_delivery import PUBLIC


@pytest.mark.timeout(240)
def test_a_delivery_over_tls_checks_address_and_certificate(tmp_path: Path) -> None:
    inside = ["unshare", "--net", "--mount", sys.executable, "-m", "tests.system.public_delivery", str(tmp_path)]
    done = subprocess.run(inside, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "hooks.example.com": {"status_code": 200, "error_code": None, "address": PUBLIC},
        "other.example.com": {"status_code": None, "error_code": "tls_error", "address": PUBLIC},
        "inside.example.com": {"status_code": None, "error_code": "blocked_address", "address": None},
        "came": [["hooks.example.com", "1\n"]],
    }
