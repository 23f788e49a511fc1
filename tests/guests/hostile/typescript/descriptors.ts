// expect: AC
// attack: T23 descriptors: looks for descriptors that lead to a directory
// control: closed_descriptors
import { readdirSync, statSync } from "node:fs";

for (const name of readdirSync("/proc/self/fd")) {
  try {
    if (statSync(`/proc/self/fd/${name}/usr`).isDirectory()) console.log(`ESCAPED holds the root as ${name}`);
  } catch {}
}
