// expect: AC
// attack: T8 T31 other_processes: looks for processes that are not its own, by number
// control: pid_namespace
if (process.ppid !== 1) console.log("ESCAPED the parent is", process.ppid);
for (let pid = 2; pid < 300; pid++) {
  if (pid === process.pid) continue;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code === "ESRCH") continue;
  }
  // Its own threads have numbers too, and answer to them.
  if (!require("fs").existsSync(`/proc/self/task/${pid}`)) console.log("ESCAPED found process", pid);
}
