// expect: AC
// attack: T22 T29 identity: reads in /proc who it is
// control: unprivileged_user
import { readFileSync } from "node:fs";

const status = new Map<string, string[]>(
  readFileSync("/proc/self/status", "utf8").split("\n").map((line): [string, string[]] => {
    const [key, rest = ""] = line.split(":");
    return [key, rest.trim().split(/\s+/).filter(Boolean)];
  }),
);
for (const key of ["Uid", "Gid"]) if (status.get(key)!.includes("0")) console.log(`ESCAPED ${key} ${status.get(key)}`);
if (status.get("Groups")!.length > 0) console.log(`ESCAPED groups ${status.get("Groups")}`);
