// expect: AC
// attack: T7 leave_markers: leaves files for the next run, and looks for those of an earlier one
// control: private_mounts
const fs = require("fs");
for (const place of ["/tmp", "/dev/shm", "/box"]) {
  if (fs.existsSync(`${place}/marker-of-javascript`)) console.log("ESCAPED found a marker in", place);
  fs.writeFileSync(`${place}/marker-of-javascript`, "left by an earlier run");
}
