// expect: TLE
// attack: T17 burn_cpu_threads: two workers share the work
// control: cpu_limit
const usedMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
const source = "const end = performance.now() + 450; while (performance.now() < end); postMessage('done')";
const url = URL.createObjectURL(new Blob([source], { type: "application/javascript" }));
let left = 2;
for (let i = 0; i < 2; i++) {
  new Worker(url).onmessage = () => {
    if (--left > 0) return;
    // On a busy machine they got less of it than they wanted.
    while (usedMs() < 700);
    console.log("ESCAPED two workers burnt 0.7 s of CPU time");
    process.exit(0);
  };
}
