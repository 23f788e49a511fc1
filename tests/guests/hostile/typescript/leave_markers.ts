// expect: AC
// attack: T7 leave_markers: leaves files for the next run, and looks for those of an earlier one
// control: private_mounts
import { existsSync, symlinkSync } from "node:fs";

for (const place of ["/tmp", "/dev/shm", process.cwd()] as const) {
  const marker: string = `${place}/marker-of-typescript`;
  if (existsSync("/usr") && Bun.spawnSync(["/usr/bin/test", "-L", marker]).exitCode === 0) console.log(`ESCAPED found ${marker}`);
  else symlinkSync("/etc/passwd", marker);
}
