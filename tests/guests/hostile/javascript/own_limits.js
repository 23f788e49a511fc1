// expect: AC
// attack: T25 own_limits: reads its limits
// control: rlimits
const expected = { "Max file size": 1 << 20, "Max processes": 16, "Max open files": 64, "Max core file size": 0 };
const lines = require("fs").readFileSync("/proc/self/limits", "utf8").split("\n");
for (const [name, limit] of Object.entries(expected)) {
  const hard = lines.find((line) => line.startsWith(name)).slice(47).split(/\s+/)[0];
  if (Number(hard) !== limit) console.log("ESCAPED", name, "is", hard);
}
