// expect: AC
// attack: T5 import_host_file: lets the module loader read a file of the host
// control: mount_namespace
for (const type of ["text", "file"]) {
  try {
    const text = (await import("/etc/passwd", { with: { type } })).default;
    if (text.includes(":") || require("fs").existsSync(text)) console.log("ESCAPED imported", text.slice(0, 20));
  } catch {}
}
