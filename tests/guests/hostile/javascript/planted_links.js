// expect: AC
// attack: T1 T2 planted_links: replaces its own files and the names that the host writes with links out of the box
// control: read_only_root
const fs = require("fs");
fs.unlinkSync("solution.js");
fs.symlinkSync("/etc/passwd", "solution.js");
fs.symlinkSync("/", "stdin");
for (const attempt of [() => fs.linkSync("/usr/bin/env", "env"), () => fs.renameSync("/box", "/tmp/box"), () => fs.rmdirSync("/box"), () => fs.symlinkSync("/", "/planted")]) {
  try {
    attempt();
    console.log("ESCAPED", String(attempt));
  } catch {}
}
