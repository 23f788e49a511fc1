// expect: AC
// attack: T8 T31 other_processes: reads who its parent is, and lists who else there is
// control: pid_namespace
import { readdirSync, readFileSync } from "node:fs";

const parent: number = Number(readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ")[1]);
if (parent !== 1) console.log(`ESCAPED the parent is ${parent}`);
const others: string[] = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
if (others.length > 0) console.log(`ESCAPED sees ${others}`);
