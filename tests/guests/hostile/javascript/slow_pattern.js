// expect: TLE
// attack: T17 T20 slow_pattern: a pattern that backtracks for ever
// control: cpu_limit
const usedMs = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
for (let length = 10; usedMs() < 700; length++) /^(a|a?)+$/.test("a".repeat(Math.min(length, 27)) + "b");
console.log("ESCAPED matched for 0.7 s");
