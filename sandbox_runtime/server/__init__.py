"""HTTP/1.1 server of the runner: TLS, authentication, timeouts, size limits. The worker handles the request bodies."""

from sandbox_runtime.server.connection import Reply, Routes
from sandbox_runtime.server.listener import Server, bind
from sandbox_runtime.server.tls import server_context

__all__ = ["Reply", "Routes", "Server", "bind", "server_context"]
