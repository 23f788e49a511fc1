// expect: AC
// attack: T11 orphan_holds_stdout: a shell's background job keeps the output open after the end
// control: pid_namespace
Bun.spawnSync(["/bin/sh", "-c", "setsid sleep 1000 &"], { stdout: "inherit", stderr: "inherit" });
console.log("done");
