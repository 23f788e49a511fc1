// expect: AC
// attack: T5 read_host_files: reads what is the host's
// control: mount_namespace
const fs = require("fs");
for (const path of ["/etc/passwd", "/etc/shadow", "/etc/hostname", "/root/.bashrc", "/proc/1/environ", "/dev/mem", "/var/run/docker.sock"]) {
  try {
    fs.readFileSync(path);
    console.log("ESCAPED read", path);
  } catch {}
}
for (const path of ["/root", "/home", "/var/lib", "/run", "/sys/kernel", "/proc/1/root"]) {
  try {
    if (fs.readdirSync(path).length > 0) console.log("ESCAPED listed", path);
  } catch {}
}
