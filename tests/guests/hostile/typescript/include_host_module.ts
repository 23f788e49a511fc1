// expect: AC
// attack: T5 include_host_module: has the module loader find modules of the host
// control: mount_namespace
const found: string[] = [];
for (const path of ["/etc/passwd", "/etc/hostname", "/var/lib/dpkg/status"]) {
  try {
    found.push(require.resolve(path));
  } catch {}
}
if (found.length > 0) console.log("ESCAPED found", found);
