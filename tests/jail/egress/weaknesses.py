"""Egress proxies with a control off: other settings, or code that the process executes before its start."""

from collections.abc import Callable

from sandbox_runtime.network.proxy import EgressProxy, ProxySettings, RunLimits
from tests.jail.egress.world import RESOLVER

type Proxies = Callable[..., EgressProxy]
"""The fixture: `proxies(control)`."""

LIMITS = RunLimits(
    open_connections=8,
    connections=40,
    bytes_each_way=2 << 20,
    connect_secs=0.5,
    idle_secs=0.5,
    queries=100,
    wildcard_names=16,
)
_WIDE = RunLimits(
    open_connections=64,
    connections=100_000,
    bytes_each_way=1 << 40,
    connect_secs=60,
    idle_secs=60,
    queries=1 << 20,
    wildcard_names=1 << 14,
    wildcard_chars=253,
    cpu_secs=3_600,
)

_ADDRESSES = """
from sandbox_runtime.network.proxy.process import target
target.is_public = lambda address: True
target.Routes.is_elsewhere = lambda self, address: True
"""
_ONE_LOOK_UP = """
take = target.RealAddresses._take
def forget(self, name, outcome):
    take(self, name, outcome)
    del self._found[name]
target.RealAddresses._take = forget
"""
_MATCHING_ANSWERS = """
import dns.message
dns.message.Message.is_response = lambda self, other: True
class Chain:
    def __init__(self, message): self.answer = message.answer[0] if message.answer else ()
dns.message.QueryMessage.resolve_chaining = lambda self: Chain(self)
"""
_NAMES = """
from sandbox_runtime.network.proxy.process import name_service
name_of = name_service.NameTable.name_of
name_service.NameTable.name_of = lambda self, address: name_of(self, address) or "api.example.com"
name_service.NameTable.refusal = lambda self, name: None
name_service.NameTable.allows = lambda self, name, port: True
"""
_BOUNDS_OF_DNS = """
from sandbox_runtime.network.proxy.process import name_service
name_service.MAX_QUERY_BYTES = 65535
name_service._MAX_TCP_CLIENTS = 1000
"""
_BACK_PRESSURE = """
from sandbox_runtime.network.proxy.process import connection
def move(self, way):
    count = way.receive()
    if count > 0:
        self._count(way, count)
        if not self._is_closed:
            data = way.pending + bytes(connection._BUFFER[:count])
            try:
                way.pending = data[way.sink.send(data):]
            except BlockingIOError:
                way.pending = data
    way.end_if_done()
    return count
connection.Connection._move = move
connection._Way.wants_read = property(lambda self: not self.has_ended)
"""
_END = """
from sandbox_runtime.network.proxy.process import server
server.Server._close = lambda self, run_id, now: server.messages.evidence_message(self._runs[run_id].evidence())
"""
_CODE = {
    "addresses": _ADDRESSES,
    "routes": "from sandbox_runtime.network.proxy.process.target import Routes\n"
    "Routes.is_elsewhere = lambda self, address: True",
    "one look-up": _ADDRESSES + _ONE_LOOK_UP,
    "matching answers": _MATCHING_ANSWERS,
    "names": _NAMES,
    "bounds of DNS": _BOUNDS_OF_DNS,
    "back pressure": _BACK_PRESSURE,
    "end": _END,
}


def weakened(without: str = "") -> tuple[ProxySettings, str]:
    """Return the settings and the code of a proxy without a control; "": with all of them."""
    limits = _WIDE if without in {"limits", "bounds of DNS"} else LIMITS
    return ProxySettings((RESOLVER,), allows_host=without == "host", limits=limits), _CODE.get(without, "")
