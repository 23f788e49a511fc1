// expect: AC
// attack: reads what is the host's; prints ESCAPED for each success
const fs = require("fs");
for (const path of ["/etc/passwd", "/etc/shadow", "/proc/1/environ", "/proc/cpuinfo", "/proc/meminfo", "/root/.bashrc", "/dev/mem"]) {
  try {
    fs.readFileSync(path);
    console.log("ESCAPED", path);
  } catch {}
}
