"""Small JavaScript programs, one for each case."""

_BEFORE = "console.log('before'); "

PROGRAMS = {
    "hello": "console.log(6 * 7)",
    "echo": "const fs = require('fs'); fs.writeSync(1, fs.readFileSync(0))",
    "exit_7": "process.exit(7)",
    "unicode": 'const größe = "Привет, 世界 🎉"; console.log(größe)',
    "flood": _BEFORE + "const fs = require('fs'); const y = 'y'.repeat(65536); for (;;) fs.writeSync(1, y)",
    "buffers": _BEFORE + "const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))",
    "objects": _BEFORE + "const a = []; for (let i = 0; ; i++) a.push({i, s: 'text' + i})",
    "endless": _BEFORE + "for (;;);",
    "sleep": _BEFORE + "setTimeout(() => {}, 60_000)",
    "garbage": (
        "for (let k = 0; k < 60; k++) { let x = []; for (let i = 0; i < 1e5; i++) x.push({ i }); }\nconsole.log('ok')"
    ),
    "throw": "console.log('before');\nthrow new Error('broken')\n",
    "warning": "var ok = 'ok'; var ok = 'ok'; if (ok = 'ok') console.log(ok)",
    "broken": "console.log('never');\n\nconst x = = 1;\n",
    "threads": """
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
if (isMainThread) {
  const started = [...Array(4).keys()].map((i) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: i });
    worker.on('message', resolve);
    worker.on('error', reject);
  }));
  Promise.all(started).then((all) => { console.log(all.reduce((a, b) => a + b)); process.exit(0); });
} else {
  parentPort.postMessage(workerData);
}
""",
    "thread_bomb": "const all = []; for (;;) all.push(Bun.spawn(['/usr/bin/sleep', '60']));",
    "recursion": "function f(n) { return f(n + 1) + 1; }\nconsole.log('before');\nconsole.log(f(0));",
    "deep": "function f(n) { return n ? f(n - 1) + 1 : 0; }\nconsole.log(f(5000));",
    "limits": "console.log(require('fs').readFileSync('/proc/self/limits', 'utf8'))",
}
