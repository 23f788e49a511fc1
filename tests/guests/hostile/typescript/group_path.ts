// expect: AC
// attack: T29 group_path: learns where it stands in the host's control groups
// control: cgroup_namespace
const groups: string = await Bun.file("/proc/self/cgroup").text();
for (const line of groups.trim().split("\n")) if (/rustbox-\d/.test(line)) console.log(`ESCAPED is in ${line}`);
