// expect: AC
// attack: T7 T31 engine_settings: leaves settings that the engine reads at its start
// control: read_only_root
const fs = require("fs");
fs.writeFileSync("bunfig.toml", 'preload = ["./planted.js"]\n');
fs.writeFileSync("planted.js", 'console.log("ESCAPED preloaded")');
for (const place of ["/", "/opt/bun", "/etc", "/usr/local/lib"]) {
  try {
    fs.writeFileSync(`${place}/bunfig.toml`, 'preload = ["/box/planted.js"]\n');
    console.log("ESCAPED left settings in", place);
  } catch {}
}
