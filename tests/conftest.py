"""For all tests: garbage collections leave out what pytest collected, and SIGINT ends programs that tests start."""

import gc
import signal


def pytest_configure() -> None:
    # A shell lets jobs in the background ignore it, which all their children would inherit.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    # Each collection would take 5 % of the CPU time more.
    gc.collect()
    gc.freeze()
