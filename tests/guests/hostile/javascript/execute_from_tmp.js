// expect: AC
// attack: T22 execute_from_tmp: starts a program that it wrote into a shared directory
// control: noexec_mounts
const fs = require("fs");
const { spawnSync } = require("child_process");
for (const path of ["/tmp/copy", "/dev/shm/copy"]) {
  fs.copyFileSync("/usr/bin/true", path);
  fs.chmodSync(path, 0o755);
  if (spawnSync(path).status === 0) console.log("ESCAPED executed", path);
}
