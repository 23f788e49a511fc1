"""HTTP/1.1 server of the runner: authentication, timeouts and size limits. The worker handles the request bodies."""

from sandbox_runtime.server.connection import Reply, Routes
from sandbox_runtime.server.listener import Server, bind

__all__ = ["Reply", "Routes", "Server", "bind"]
