"""Uses the parts of the standard library that programs use. Prints "ok <part>" or "FAILED <part> ..."; exit code 1 if any failed.

Runs as a guest, so it knows nothing of this project. The network is tried, and must fail at once.
"""

import array
import asyncio
import bz2
import collections
import concurrent.futures
import csv
import ctypes
import dataclasses
import decimal
import faulthandler
import fcntl
import fractions
import functools
import gc
import glob
import gzip
import hashlib
import heapq
import http.client
import http.server
import importlib
import io
import itertools
import json
import locale
import logging
import lzma
import math
import mmap
import multiprocessing
import multiprocessing.shared_memory
import os
import pathlib
import pickle
import platform
import posix
import queue
import random
import re
import resource
import secrets
import select
import selectors
import shutil
import signal
import socket
import socketserver
import sqlite3
import ssl
import statistics
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request
import uuid
import weakref
import xml.etree.ElementTree as ET
import zipfile
import zlib
import zoneinfo
from collections.abc import Callable

def need(condition: object, what: str = "") -> None:
    if not condition:
        raise AssertionError(what)

def values() -> None:
    need(json.loads(json.dumps({"a": [1, 2.5, None, "ü"]}))["a"][3] == "ü")
    need(re.findall(r"(\w)\1", "aabbc") == ["a", "b"])
    need(decimal.Decimal(1) / 3 * 3 < 1)
    need(fractions.Fraction(1, 3) * 3 == 1)
    need(math.isqrt(2**100) == 2**50 and statistics.mean([1, 2, 3]) == 2)
    need(heapq.nsmallest(1, [3, 1, 2]) == [1] and collections.Counter("aab")["a"] == 2)
    need(list(itertools.accumulate([1, 2, 3])) == [1, 3, 6] and functools.reduce(int.__mul__, [2, 3]) == 6)
    need(struct.unpack("<I", struct.pack("<I", 7)) == (7,) and array.array("i", [1]).tobytes())
    need(dataclasses.asdict(dataclasses.make_dataclass("P", ["x"])(1)) == {"x": 1})
    need(pickle.loads(pickle.dumps({1: {2}})) == {1: {2}})
    need(list(csv.reader(io.StringIO("a,b"))) == [["a", "b"]] and ET.fromstring("<a><b/></a>").tag == "a")
    need(random.Random(1).random() != random.random() and secrets.token_hex(4) and uuid.uuid4() != uuid.uuid1())
    need(hashlib.sha256(b"").hexdigest()[:4] == "e3b0" and hashlib.scrypt(b"p", salt=b"s", n=2, r=1, p=1))
    need(platform.system() == "Linux" and locale.getlocale() and weakref.ref(need)() is need and gc.collect() >= 0)
    need(time.strftime("%Y", time.gmtime(0)) == "1970" and len(zoneinfo.TZPATH) > 0)
    need(ctypes.CDLL(None).abs(-3) == 3 and ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 5)() == 5)
    need(importlib.import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0, 0, 0))
    logging.getLogger("workload").addHandler(logging.NullHandler())

def files() -> None:
    here = pathlib.Path("made")
    here.mkdir()
    (here / "a").write_text("hello")
    os.link(here / "a", here / "b")
    os.symlink("a", here / "c")
    os.rename(here / "b", here / "d")
    os.replace(here / "d", here / "e")
    need(os.readlink(here / "c") == "a" and sorted(glob.glob("made/*")) == ["made/a", "made/c", "made/e"])
    for change in (lambda p: os.chmod(p, 0o600), lambda p: os.utime(p, (1, 2)), lambda p: os.truncate(p, 4)):
        change(here / "a")
    os.chown(here / "a", os.getuid(), os.getgid())
    os.lchown(here / "c", -1, -1)
    with open(here / "a", "r+b", buffering=0) as file:
        fd = file.fileno()
        os.pwrite(fd, b"H", 0), os.writev(fd, [b"x", b"y"]), os.pwritev(fd, [b"z"], 0, 0)
        need(os.pread(fd, 1, 0) == b"z" and os.preadv(fd, [bytearray(2)], 0, 0) == 2)
        os.fsync(fd), os.fdatasync(fd), os.posix_fallocate(fd, 0, 4096), os.ftruncate(fd, 10), os.sync()
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM), os.fchmod(fd, 0o644), os.fchown(fd, -1, -1)
        os.lockf(fd, os.F_TLOCK, 0), fcntl.flock(fd, fcntl.LOCK_EX), os.dup2(fd, 20), os.close(20)
        need(os.fstat(fd).st_size == 10 and os.statvfs(fd).f_bsize and os.fstatvfs(fd).f_bsize)
        with open(here / "f", "wb", buffering=0) as other:
            need(os.copy_file_range(fd, other.fileno(), 2, 0) == 2 and os.sendfile(other.fileno(), fd, 0, 2) == 2)
    try:
        os.setxattr(here / "a", "user.x", b"1")
        need(os.getxattr(here / "a", "user.x") == b"1" and os.listxattr(here / "a") == ["user.x"])
        os.removexattr(here / "a", "user.x")
    except OSError as error:
        need(error.errno == 95, str(error))  # ENOTSUP: this file system has none
    os.mkfifo(here / "fifo"), os.mknod(here / "node"), os.umask(0o022), os.access(here, os.R_OK)
    shutil.copytree(here, "copied", symlinks=True, ignore=lambda *_: ["fifo"]), shutil.rmtree("copied")
    need(len(list(os.walk("made"))) == 1 and len(list(os.scandir("made"))) == 6)
    os.chdir("made"), os.chdir(".."), os.close(os.open("made", os.O_PATH))
    shutil.rmtree(here)
    with tempfile.TemporaryDirectory() as directory, tempfile.NamedTemporaryFile() as named, tempfile.TemporaryFile():
        need(named.name.startswith("/tmp") and os.listdir(directory) == [])
        for pack, mode in ((tarfile.open, "w:gz"), (zipfile.ZipFile, "w")):
            pack(f"{directory}/archive", mode).close()
        for module in (gzip, bz2, lzma):
            with module.open(f"{directory}/packed", "wb") as packed:
                packed.write(b"text" * 100)
            with module.open(f"{directory}/packed") as packed:
                need(packed.read() == b"text" * 100)
    need(zlib.decompress(zlib.compress(b"x")) == b"x" and shutil.disk_usage("/tmp").total > 0)
    with mmap.mmap(-1, 1 << 16, mmap.MAP_PRIVATE) as memory:
        memory[0] = 1
        memory.madvise(mmap.MADV_DONTNEED), memory.flush(), memory.resize(1 << 17)
    database = sqlite3.connect("/tmp/data.db")
    database.execute("pragma journal_mode=wal")
    database.execute("create table t (x)"), database.executemany("insert into t values (?)", [(1,), (2,)])
    database.commit()
    need(database.execute("select sum(x) from t").fetchone() == (3,))
    database.close()

def threads() -> None:
    lock, found, done = threading.Lock(), [], threading.Event()

    def work(number: int) -> None:
        with lock:
            found.append(number)

    workers = [threading.Thread(target=work, args=(n,), name=f"worker-{n}") for n in range(4)]
    [worker.start() for worker in workers], [worker.join() for worker in workers]
    need(sorted(found) == [0, 1, 2, 3] and threading.get_native_id() > 0)
    timer = threading.Timer(0.01, done.set)
    timer.start()
    need(done.wait(5))
    timer.join()
    need(not threading.Semaphore(0).acquire(timeout=0.01) and threading.Barrier(1).wait() == 0)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        need(list(pool.map(abs, [-1, -2])) == [1, 2])
    channel: queue.Queue[int] = queue.Queue()
    channel.put(1)
    need(channel.get(timeout=1) == 1)
    time.sleep(0.001)

def _double(number: int) -> int:
    return 2 * number

def processes() -> None:
    need(
        subprocess.run("echo hi | tr a-z A-Z", shell=True, capture_output=True, text=True, check=True).stdout == "HI\n"
    )
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as cat:
        need(cat.communicate(b"x", timeout=5)[0] == b"x")
    with subprocess.Popen(["/bin/sleep", "50"], close_fds=False) as sleeper:
        sleeper.terminate()
        need(sleeper.wait(5) == -signal.SIGTERM)
    need(os.system("exit 3") == 3 << 8 and os.popen("echo x").read() == "x\n")
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os._exit(4)
    need(
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT) and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
    )
    for spawn in (os.posix_spawn, os.posix_spawnp):
        need(os.waitpid(spawn("/bin/true", ["true"], {}), 0)[1] == 0)
    child = os.fork()
    if child == 0:
        os.execve(os.open("/bin/true", os.O_PATH), ["true"], {})
    need(os.wait4(child, 0)[1] == 0)
    child = os.fork()
    if child == 0:
        signal.pause()
    pidfd = os.pidfd_open(child)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    need(select.select([pidfd], [], [], 5)[0] and os.waitpid(child, 0)[1] == signal.SIGKILL)
    os.close(pidfd)
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        receiver, sender = context.Pipe()
        process = context.Process(target=sender.send, args=(method,))
        process.start()
        need(receiver.recv() == method)
        process.join(5)
        need(process.exitcode == 0, f"exit code with {method}")
        receiver.close(), sender.close()
    forking = multiprocessing.get_context("fork")
    with forking.Pool(2) as pool:
        need(pool.map(_double, range(4)) == [0, 2, 4, 6])
    with forking.Lock(), forking.Semaphore(1):
        need(forking.Value("i", 5).value == 5)
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=forking) as executor:
        need(executor.submit(_double, 3).result(5) == 6)
    block = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
    block.buf[0] = 1
    block.close(), block.unlink()

def signals_and_timers() -> None:
    seen: list[int] = []
    for number in (signal.SIGUSR1, signal.SIGALRM):
        signal.signal(number, lambda got, _: seen.append(got))
    os.kill(os.getpid(), signal.SIGUSR1), signal.raise_signal(signal.SIGUSR1)
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    need(seen == [signal.SIGUSR1] * 3)
    signal.alarm(100), signal.alarm(0), signal.getitimer(signal.ITIMER_REAL)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    need(signal.sigwait([signal.SIGALRM]) == signal.SIGALRM and signal.sigpending() == set())
    need(signal.sigtimedwait([signal.SIGALRM], 0.001) is None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    signal.siginterrupt(signal.SIGALRM, False)
    faulthandler.enable(), faulthandler.dump_traceback_later(100), faulthandler.cancel_dump_traceback_later()
    timer = os.timerfd_create(time.CLOCK_MONOTONIC)
    os.timerfd_settime(timer, initial=0.001), os.timerfd_gettime(timer), os.read(timer, 8), os.close(timer)
    need(time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) > 0 and time.clock_getres(time.CLOCK_MONOTONIC) > 0)
    need(time.thread_time() > 0 and time.get_clock_info("time").resolution > 0 and os.times().user >= 0)

def system() -> None:
    need(resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0 and resource.getrusage(resource.RUSAGE_CHILDREN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0)), resource.prlimit(0, resource.RLIMIT_NOFILE)
    need(os.getpriority(os.PRIO_PROCESS, 0) >= 0 and os.nice(0) >= 0 and os.cpu_count() and os.process_cpu_count())
    os.sched_setaffinity(0, os.sched_getaffinity(0)), os.sched_yield(), os.sched_rr_get_interval(0)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)), os.sched_setparam(0, os.sched_getparam(0))
    need(os.sched_get_priority_max(os.SCHED_FIFO) == 99 and os.sched_getscheduler(0) == os.SCHED_BATCH)
    os.setresuid(*os.getresuid()), os.setresgid(*os.getresgid()), os.setuid(os.getuid()), os.getgroups()
    os.setreuid(-1, -1), os.setregid(-1, -1), os.seteuid(os.geteuid()), os.setgid(os.getgid())
    need(os.getppid() > 0 and os.getpgid(0) > 0 and os.getsid(0) > 0 and os.uname().nodename and os.getrandom(4))
    memory = os.memfd_create("memory", os.MFD_ALLOW_SEALING)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE), os.close(memory)
    event = os.eventfd(0)
    os.eventfd_write(event, 2)
    need(os.eventfd_read(event) == 2)
    os.close(event)
    first, second = os.pipe(), os.pipe2(os.O_NONBLOCK)
    os.write(first[1], b"x")
    need(os.splice(first[0], second[1], 1) == 1 and os.read(second[0], 1) == b"x" and not os.isatty(0))
    for fd in (*first, *second):
        os.close(fd)
    need(os.sysconf("SC_NPROCESSORS_ONLN") > 0 and os.sysconf("SC_PHYS_PAGES") > 0 and posix.getcwd())

def sockets() -> None:
    left, right = socket.socketpair()
    with left, right, selectors.DefaultSelector() as selector, select.epoll() as epoll:
        left.sendall(b"hello")
        selector.register(right, selectors.EVENT_READ), epoll.register(right, select.EPOLLIN)
        need(selector.select(1) and epoll.poll(1) and select.select([right], [], [], 1)[0])
        poller = select.poll()
        poller.register(right)
        need(poller.poll(1) and right.recv(5) == b"hello")
        socket.send_fds(left, [b"f"], [0])
        _, fds, _, _ = socket.recv_fds(right, 1, 1)
        os.close(fds[0])
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        need(left.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM and left.getpeername() == "")
        left.shutdown(socket.SHUT_WR)
    for family in (socket.AF_INET, socket.AF_INET6):
        with socket.socket(family) as stream, socket.socket(family, socket.SOCK_DGRAM) as datagrams:
            need(stream.fileno() != datagrams.fileno())

    class Server(socketserver.ThreadingUnixStreamServer):
        def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
            return super().get_request()[0], ("client", 0)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200), self.end_headers(), self.wfile.write(b"served")

        def log_message(self, *_: object) -> None:
            pass

    with Server("/tmp/http", Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect("/tmp/http")
        connection.request("GET", "/")
        need(connection.getresponse().read() == b"served")
        connection.close(), server.shutdown(), serving.join()
    need(ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED)
    for name in ("http://127.0.0.1:9/", "http://192.0.2.1/", "http://example.org/"):
        try:
            urllib.request.urlopen(name, timeout=5)
            need(False, f"{name} answered")
        except urllib.error.URLError as error:
            need(not isinstance(error.reason, TimeoutError), "the network must fail at once")

async def _coroutines() -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(0.001, n)) for n in range(3)]
    need([task.result() for task in tasks] == [0, 1, 2])
    process = await asyncio.create_subprocess_exec("/bin/echo", "child", stdout=asyncio.subprocess.PIPE)
    need((await process.communicate())[0] == b"child\n" and process.returncode == 0)
    need(await asyncio.to_thread(_double, 4) == 8)
    loop = asyncio.get_running_loop()
    got = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR2, got.set)
    os.kill(os.getpid(), signal.SIGUSR2)
    await asyncio.wait_for(got.wait(), 5)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async with await asyncio.start_unix_server(answer, "/tmp/asyncio"):
        reader, writer = await asyncio.open_unix_connection("/tmp/asyncio")
        writer.write(b"line\n")
        need(await reader.readline() == b"line\n")
        writer.close()
        await writer.wait_closed()

def coroutines() -> None:
    asyncio.run(_coroutines())

PARTS: tuple[Callable[[], None], ...] = (
    values,
    files,
    threads,
    processes,
    signals_and_timers,
    system,
    sockets,
    coroutines,
)

def main() -> int:
    """Run all parts, each whatever became of the others."""
    failures = 0
    for part in PARTS:
        try:
            part()
            print("ok", part.__name__, flush=True)
        except Exception:
            failures += 1
            print("FAILED", part.__name__, traceback.format_exc(), flush=True)
    return failures

if __name__ == "__main__":
    sys.exit(main() != 0)
