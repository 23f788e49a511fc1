"""`worker`: check the host, open the slots, then connect and work until SIGTERM."""

import logging
import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack

from sandbox_runtime import log, settings
from sandbox_runtime.commands import exit_codes
from sandbox_runtime.commands.failures import CommandError
from sandbox_runtime.jail import JailError, Slot, SlotConfig, open_slot, probe_host, remove_stale_groups
from sandbox_runtime.languages import Language, binds, offered, version
from sandbox_runtime.transport import Transport, connect
from sandbox_runtime.worker import Place, Roster, Worker

_LOG = logging.getLogger(__name__)


def work() -> int:
    """Run a worker to its end. Raises CommandError when it cannot start."""
    try:
        found = settings.worker_settings()
    except settings.SettingsInvalidError as error:
        raise CommandError(exit_codes.USAGE, str(error)) from error
    if os.geteuid() != 0:
        raise CommandError(exit_codes.PLATFORM_FAILURE, "the sandbox needs root: run the worker as root")
    log.configure(found.log_level)
    removed = remove_stale_groups()
    if removed:
        _LOG.info("groups of a dead runner removed", extra={"count": removed})
    roster = _roster(found.toolchains_dir)
    with ExitStack() as stack:
        # Slots first: their templates are born before this process holds an AWS client.
        places = _open_places(found, roster.languages, stack)
        clients = connect(slots=found.slots, receive_wait_secs=found.receive_wait_secs)
        transport = Transport(
            clients,
            completions_queue_url=found.completions_queue_url,
            bucket=found.payloads_bucket,
            visibility_secs=found.visibility_secs,
        )
        worker = Worker(found, transport, places, roster)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: worker.drain())
        worker.run()
    return 0


def _roster(toolchains_dir: str) -> Roster:
    support = probe_host()
    if support.problems:
        raise CommandError(exit_codes.PLATFORM_FAILURE, "this host cannot isolate: " + "; ".join(support.problems))
    languages = offered(toolchains_dir)
    if not languages:
        raise CommandError(exit_codes.PLATFORM_FAILURE, "no toolchain is installed: see `languages`")
    versions = {name: version(language, toolchains_dir) for name, language in languages.items()}
    return Roster(languages, versions, support)


def _open_places(
    found: settings.WorkerSettings, languages: Mapping[str, Language], stack: ExitStack
) -> tuple[Place, ...]:
    mounts = binds(tuple(languages.values()), found.toolchains_dir)

    def opener(index: int) -> Slot:
        return open_slot(SlotConfig(name=f"slot-{index}", index=index, binds=mounts))

    places = []
    for index in range(found.slots):
        try:
            place = Place(index, opener)
        except JailError as error:
            raise CommandError(exit_codes.PLATFORM_FAILURE, f"a slot cannot be opened: {error}") from error
        stack.callback(place.close)
        places.append(place)
    return tuple(places)
