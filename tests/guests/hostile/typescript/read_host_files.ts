// expect: AC
// attack: T5 read_host_files: reads what is the host's, through the runtime's own reader
// control: mount_namespace
const paths: readonly string[] = ["/etc/passwd", "/etc/group", "/etc/hostname", "/var/lib/dpkg/status", "/root/.profile", "/run/secrets", "/proc/1/environ", "/proc/self/root/etc/passwd"];
for (const path of paths) {
  const text: string = await Bun.file(path).text().catch(() => "");
  if (text !== "") console.log(`ESCAPED read ${path}: ${text.slice(0, 20)}`);
}
