// expect: AC RE
// attack: T5 T22 macro_at_bundle_time: code that the transpiler itself would execute
// alone: the transpiler runs in the same jail; there is no control to take away
import { writeFileSync } from "node:fs";

writeFileSync("macro.ts", 'import { readFileSync } from "node:fs";\nexport const secret = () => readFileSync("/etc/passwd", "utf8");\n');
writeFileSync("user.ts", 'import { secret } from "./macro.ts" with { type: "macro" };\nconsole.log("ESCAPED", secret());\n');
const done = Bun.spawnSync([process.execPath, "user.ts"]);
process.stdout.write(done.stdout);
