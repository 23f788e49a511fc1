// expect: AC
// attack: T1 T2 planted_links: turns the box's own names into links and directories
// control: read_only_root
import { linkSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";

rmSync("solution.ts");
mkdirSync("solution.ts");
symlinkSync("../../etc", "stdin");
const attempts: Array<() => void> = [
  () => linkSync("/usr/bin/true", "/box/true"),
  () => renameSync("/box", "/box-of-my-own"),
  () => symlinkSync("/", "/tmp/../planted"),
];
for (const attempt of attempts) {
  try {
    attempt();
    console.log(`ESCAPED ${attempt}`);
  } catch {}
}
