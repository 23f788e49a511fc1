// expect: AC
// attack: T26 T7 install_package: has the engine download a package and run it
// alone: a jail with the way out would reach servers that are not the test's
const fs = require("fs");
fs.writeFileSync("package.json", '{"dependencies": {"left-pad": "1.3.0"}}');
const { spawnSync } = require("child_process");
const done = spawnSync(process.execPath, ["install"], { timeout: 5000 });
if (done.status === 0 || fs.existsSync("node_modules/left-pad")) console.log("ESCAPED installed a package");
try {
  await import("left-pad");
  console.log("ESCAPED imported a package");
} catch {}
