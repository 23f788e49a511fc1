// expect: AC
// attack: T29 group_path: learns where it stands in the host's control groups
// control: cgroup_namespace
const groups = require("fs").readFileSync("/proc/self/cgroup", "utf8");
if (groups.includes("rustbox-")) console.log("ESCAPED is in", groups);
