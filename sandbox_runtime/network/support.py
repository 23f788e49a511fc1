"""Whether this host can give runs a network: by a run that has one."""

import os

from sandbox_runtime.jail import probe_host, read_facts
from sandbox_runtime.network.model import NetworkError, NetworkTable
from sandbox_runtime.network.namespace_maker import NamespaceMaker


def network_problem() -> str:
    """Run a program in a net namespace of the maker. Returns "", or why it fails and what to change."""
    if os.geteuid() != 0:
        return "only root can enter the net namespace of a run: start the runner as root"
    maker = NamespaceMaker()
    try:
        made = maker.make(NetworkTable((), ()))
    except NetworkError as error:
        return f"{error}: {_remedy()}"
    finally:
        maker.close()
    made.close_listeners()
    try:
        support = probe_host(made.fd)
    finally:
        made.close()
    if support.failure is not None:
        return str(support.failure)
    return "" if support.is_strict else f"not in force: {', '.join(support.missing)}"


def _remedy() -> str:
    facts = read_facts()
    if facts.max_user_namespaces == 0:
        return "user namespaces are switched off: `sysctl -w user.max_user_namespaces=10000`"
    if facts.apparmor_profile is not None:
        return (
            f"AppArmor's profile {facts.apparmor_profile} must allow user namespaces, net_admin and net_bind_service: "
            "infra/runner/apparmor.profile does"
        )
    return "the runner needs CAP_SYS_ADMIN, and a filter that allows unshare(2)"
