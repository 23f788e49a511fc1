"""HTTP/1.1 of the runner: who may ask, how long and how much. What is asked is the worker's business."""

from sandbox_runtime.server.connection import Reply, Routes
from sandbox_runtime.server.listener import Server, bind

__all__ = ["Reply", "Routes", "Server", "bind"]
