// expect: AC
// attack: T29 environment: looks for credentials in the environment that the kernel keeps
// control: clean_environment
import { readFileSync } from "node:fs";

const own: string = readFileSync("/proc/self/environ", "latin1");
for (const entry of own.split("\0").filter(Boolean)) {
  const [name]: string[] = entry.split("=");
  if (/AWS|TOKEN|SECRET|PASSWORD|CREDENTIAL/.test(name)) console.log(`ESCAPED found ${entry}`);
}
try {
  console.log("ESCAPED", readFileSync("/proc/1/environ", "latin1"));
} catch {}
