"""`python -m tests.bench.live_output [latency|load]`: figures of the output of runs that go on.

`latency`: how soon the command line and the console show what a program prints. Needs Chromium.
`load`: what clients that watch runs cost runs that nobody watches.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import httpx
from playwright.sync_api import sync_playwright

from tests.bench.machine import ROOT
from tests.bench.running_stack import running_stack
from tests.system.browser.console import open_console
from tests.system.local_stack import API_KEY, LocalStack

PRINTS = 25
ROUNDS = 3
PROGRAM = f"import time\nfor _ in range({PRINTS}):\n    time.sleep(1)\n    print(time.time(), flush=True)\n"
WATCHED = 200
SHORT = "import time\nfor _ in range(4):\n    time.sleep(0.25)\n    print('x', flush=True)\n"
_CHROMIUM = "/usr/bin/chromium"
_NOTE = """() => {
  window.seen = [];
  new MutationObserver(() => {
    const lines = (document.querySelector(".live pre")?.textContent ?? "").split("\\n").slice(0, -1);
    while (window.seen.length < lines.length) window.seen.push(Date.now() / 1000 - Number(lines[window.seen.length]));
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def by_command_line(local: LocalStack, folder: str) -> list[float]:
    """Return after how many seconds `rustbox run` printed each line."""
    program = f"{folder}/prints.py"
    with open(program, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(PROGRAM)
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    variables |= {"RUSTBOX_URL": local.url, "RUSTBOX_API_KEY": API_KEY}
    options = ["--profile", "agent", "--limit", "wall_time_secs=30"]
    command = [sys.executable, "-m", "rustbox_cli", "run", program, *options]
    with subprocess.Popen(command, env=variables, cwd=folder, stdout=subprocess.PIPE) as rustbox:
        return [time.time() - float(line) for line in rustbox.stdout or ()]


def by_console(local: LocalStack) -> list[float]:
    """Return after how many seconds the console showed each line, in a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        with open_console(browser, local) as console:
            page = console.open("run")
            page.get_by_role("combobox", name="Profile").select_option("agent")
            page.get_by_label("Wall time, s").fill("30")
            page.locator("#code").fill(PROGRAM)
            page.evaluate(_NOTE)
            page.keyboard.press("Control+Enter")
            page.locator(".result").wait_for(timeout=60_000)
            found: list[float] = page.evaluate("window.seen")
        browser.close()
    return found


def latency() -> None:
    """Measure both at once."""
    with running_stack() as stack, ThreadPoolExecutor(1) as beside:
        folder, secs = str(stack.local.state_dir.parent), dict[str, list[float]](console=[], command_line=[])
        for _ in range(ROUNDS):
            command_line = beside.submit(by_command_line, stack.local, folder)
            secs["console"] += by_console(stack.local)
            secs["command_line"] += command_line.result()
    for name, found in secs.items():
        _print(name, found)


def load() -> None:
    """Measure runs of another project while 200 runs go on, watched or not, in turns."""
    with running_stack(SLOTS="8") as stack:
        local = stack.local
        keys = [local.add_project(name) for name in ("watched", "unwatched")]
        with local.client(keys[1]) as client:
            for _ in range(20):
                _run(client)
        for way in (_leave, _watch, _watch, _leave):
            _print(way.__name__.strip("_"), _beside(local, keys, way))


def _beside(local: LocalStack, keys: list[str], way: Callable[[LocalStack, str, str], None]) -> list[float]:
    """Submit runs, treat them in a way, and return the times of other runs meanwhile."""
    over, secs = Event(), list[float]()

    def measure() -> None:
        with local.client(keys[1]) as client:
            while not over.is_set():
                secs.append(_run(client))

    with local.client(keys[0]) as client:
        body = {"language": "python", "code": SHORT}
        ids = [client.post("/api/submit", json=body).json()["id"] for _ in range(WATCHED)]
        measuring = Thread(target=measure)
        measuring.start()
        with ThreadPoolExecutor(WATCHED) as clients:
            list(clients.map(lambda submission_id: way(local, keys[0], submission_id), ids))
        over.set()
        measuring.join()
        while client.get(f"/api/result/{ids[-1]}?wait=20").json()["result"] is None:
            pass
    return secs


def _run(client: httpx.Client) -> float:
    begun = time.monotonic()
    answer = client.post("/api/submit?wait=20", json={"language": "python", "code": "print(42)"}).json()
    if answer["stdout"] != "42\n":
        raise RuntimeError(answer)
    return time.monotonic() - begun


def _watch(local: LocalStack, key: str, submission_id: str) -> None:
    """Follow the output until the run has ended."""
    after, final = 0, False
    with local.client(key) as client:
        while not final:
            query = {"stream": "stdout", "after": str(after), "wait": "20"}
            part = client.get(f"/api/result/{submission_id}/output", params=query).json()
            after, final = part["next"], part["final"]


def _leave(local: LocalStack, key: str, submission_id: str) -> None:
    """Wait for the result, as clients did before."""
    with local.client(key) as client:
        while client.get(f"/api/result/{submission_id}?wait=20").json()["result"] is None:
            pass


def _print(what: str, secs: list[float]) -> None:
    ordered = sorted(each * 1000 for each in secs)
    p95 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.95))]
    figures = (
        f"{len(ordered)} times, p50 {statistics.median(ordered):.0f} ms, p95 {p95:.0f} ms, at most {ordered[-1]:.0f} ms"
    )
    print(f"{what}: {figures}; load {os.getloadavg()[0]:.1f}")  # noqa: T201 - the command's output


if __name__ == "__main__":
    {"latency": latency, "load": load}[sys.argv[1]]()
