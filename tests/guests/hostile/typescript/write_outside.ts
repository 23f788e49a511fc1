// expect: AC
// attack: T7 write_outside: makes directories where every later run would see them
// control: read_only_root
import { mkdirSync } from "node:fs";

const made = ["/planted.d", "/etc/planted.d", "/dev/planted.d", "/usr/planted.d", "/opt/planted.d", "/lib/planted.d"].filter((path: string): boolean => {
  try {
    mkdirSync(path);
    return true;
  } catch {
    return false;
  }
});
if (made.length > 0) console.log("ESCAPED made", made);
