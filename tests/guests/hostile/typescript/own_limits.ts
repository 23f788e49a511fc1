// expect: AC
// attack: T25 own_limits: asks a shell for its limits, and raises them
// control: rlimits
const shell: string = "ulimit -H -n; ulimit -H -c; ulimit -n 4096 && echo raised";
const [files, core, raised]: string[] = Bun.spawnSync(["/bin/sh", "-c", shell]).stdout.toString().split("\n");
if (Number(files) !== 128 || Number(core) !== 0 || raised === "raised") console.log(`ESCAPED ${files} ${core} ${raised}`);
