"""Small Python programs, one for each case."""

_BEFORE = "print('before', flush=True)\n"

PROGRAMS = {
    "hello": "print(6 * 7)",
    "echo": "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())",
    "exit_7": "raise SystemExit(7)",
    "unicode": 'größe = "Привет, 世界 🎉"\nprint(größe)',
    "flood": "import sys\nprint('before')\nwhile True: sys.stdout.write('y' * 65536)",
    "buffers": _BEFORE + "a = []\nwhile True: a.append(bytearray(1 << 20))",
    "objects": _BEFORE + "a = []\nwhile True: a.append([str(i) for i in range(1000)])",
    "endless": _BEFORE + "while True: pass",
    "sleep": _BEFORE + "import time; time.sleep(60)",
    "garbage": "for i in range(300): x = [bytes(100) for _ in range(1000)]\nprint('ok')",
    "throw": "def f():\n    return 1 / 0\nprint('before')\nf()\n",
    "warning": "print('ok' if 1 is not 2 else '')",
    "broken": "print('never')\n\nx = = 1\n",
    "threads": (
        "import threading\nn = []\nt = [threading.Thread(target=n.append, args=(i,)) for i in range(8)]\n"
        "for x in t: x.start()\nfor x in t: x.join()\nprint(sum(n))"
    ),
    "thread_bomb": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    ),
    "recursion": "def f(n): return f(n + 1) + 1\nprint('before')\nprint(f(0))",
    "deep": "def f(n): return f(n - 1) + 1 if n else 0\nprint(f(900))",
    "limits": "print(open('/proc/self/limits').read())",
}
