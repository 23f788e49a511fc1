// expect: SIG
// attack: T9 kill_everything: kills init and every process that it can see, with every signal there is
// alone: without a pid namespace it would end the host's processes
for (let signal = 1; signal < 65; signal++) {
  for (const pid of [1, -1] as const) {
    if (pid === -1 && signal !== 9) continue;
    try {
      process.kill(pid, signal);
    } catch {}
  }
}
process.kill(process.pid, "SIGKILL");
