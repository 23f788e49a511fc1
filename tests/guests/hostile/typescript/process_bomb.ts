// expect: PLE
// attack: T8 process_bomb: starts detached children
// control: process_limit
import { type ChildProcess, spawn } from "node:child_process";

const children: ChildProcess[] = [];
for (let i = 0; i < 40; i++) {
  const child = spawn("/usr/bin/sleep", ["100"], { detached: true, stdio: "ignore" });
  child.on("error", () => process.exit(1));
  children.push(child);
}
if (children.every((child: ChildProcess): boolean => child.pid !== undefined)) {
  console.log(`ESCAPED has ${children.length} children`);
  process.exit(0);
}
