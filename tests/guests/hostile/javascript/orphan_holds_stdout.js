// expect: AC
// attack: T11 orphan_holds_stdout: a detached child keeps the output open after the end
// control: pid_namespace
require("child_process").spawn("/usr/bin/sleep", ["1000"], { detached: true, stdio: "inherit" }).unref();
console.log("done");
process.exit(0);
