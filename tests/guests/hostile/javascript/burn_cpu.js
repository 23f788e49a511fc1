// expect: TLE
// attack: T9 T17 burn_cpu: computes without end in one turn of the event loop
// control: cpu_limit
const usedMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
process.on("SIGXCPU", () => {});
process.on("SIGTERM", () => {});
while (usedMs() < 700);
console.log("ESCAPED burnt 0.7 s of CPU time");
