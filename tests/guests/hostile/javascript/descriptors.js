// expect: AC
// attack: T23 descriptors: looks for descriptors that the jail forgot to close
// control: closed_descriptors
const fs = require("fs");
for (const name of fs.readdirSync("/proc/self/fd")) {
  let target = "";
  try {
    target = fs.readlinkSync(`/proc/self/fd/${name}`);
  } catch {}
  // The engine opens queues and its own files; sockets, pipes and directories would be ours.
  if (Number(name) > 2 && (target === "/" || target.startsWith("socket:") || target.includes("cgroup"))) console.log("ESCAPED was given", target);
}
