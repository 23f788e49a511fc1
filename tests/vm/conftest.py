"""Tests that change settings of the kernel: they are collected only in the machine that infra/vm makes for itself."""

import os

from tests.jail.weakened.patience import be_patient

be_patient()
collect_ignore_glob = [] if os.environ.get("RUSTBOX_TEST_OWN_MACHINE") == "1" else ["test_*.py"]
