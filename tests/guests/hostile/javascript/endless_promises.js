// expect: TLE
// attack: T17 endless_promises: microtasks that never let a timer run
// control: cpu_limit
const usedMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
setTimeout(() => console.log("never"), 0);
(async () => {
  while (usedMs() < 700) await null;
  console.log("ESCAPED starved the event loop for 0.7 s");
})();
