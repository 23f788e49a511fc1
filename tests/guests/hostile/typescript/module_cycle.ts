// expect: AC RE TLE MLE
// attack: T20 module_cycle: modules that it writes while it runs, each importing the next
// alone: its memory, time and files end it as any other program
import { writeFileSync } from "node:fs";

const count: number = 1500;
for (let i = 0; i < count; i++) writeFileSync(`/box/m${i}.ts`, `export { value } from "./m${(i + 1) % count}";\n`);
writeFileSync(`/box/m${count - 1}.ts`, "export const value: number = 1;\n");
console.log((await import("/box/m0.ts")).value);
