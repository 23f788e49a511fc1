"""Tests that change settings of the kernel: only the machine that tests/rigs/vm makes for itself collects them."""

import os

from tests.jail.weakened.patience import be_patient

be_patient()
collect_ignore_glob = [] if os.environ.get("RUSTBOX_TEST_OWN_MACHINE") == "1" else ["test_*.py"]
