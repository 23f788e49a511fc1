// expect: AC
// attack: T22 execute_from_tmp: starts a program that it wrote into a shared directory, and a script
// control: noexec_mounts
import { chmodSync, writeFileSync } from "node:fs";

for (const place of ["/tmp", "/dev/shm"]) {
  const script: string = `${place}/script`;
  writeFileSync(script, "#!/bin/sh\nexit 0\n");
  chmodSync(script, 0o755);
  try {
    if (Bun.spawnSync([script]).exitCode === 0) console.log(`ESCAPED executed ${script}`);
  } catch {}
}
