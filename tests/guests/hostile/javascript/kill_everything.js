// expect: SIG
// attack: T9 kill_everything: kills init and every process that it can see, itself last
// alone: without a pid namespace it would end the host's processes
for (const pid of [1, -1, 0, process.pid]) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {}
}
