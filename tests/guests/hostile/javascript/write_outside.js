// expect: AC
// attack: T7 write_outside: leaves files where every later run would see them
// control: read_only_root
const fs = require("fs");
for (const path of ["/planted", "/etc/planted", "/dev/planted", "/usr/lib/planted", "/opt/bun/planted", "/opt/bun/bun", "/proc/planted"]) {
  try {
    fs.writeFileSync(path, "text");
    console.log("ESCAPED wrote", path);
  } catch {}
}
