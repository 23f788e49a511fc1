// What codes of the API mean, in words, and how numbers are written.

export const VERDICTS = {
  AC: "Accepted",
  RE: "Runtime error",
  TLE: "Time limit exceeded",
  MLE: "Memory limit exceeded",
  PLE: "Process limit exceeded",
  FSE: "File size limit exceeded",
  SIG: "Ended by a signal",
  IE: "Internal error",
};

const CAUSES = {
  normal_exit: "The program ended by itself with exit code 0.",
  re_nonzero_exit: "The program ended by itself with an exit code that is not 0.",
  re_fatal_signal: "A signal ended the program.",
  seccomp_violation: "The program made a forbidden system call, and the kernel ended it.",
  tle_cpu_judge: "The program used up its CPU time. All its threads count.",
  tle_wall_judge: "The program ran longer than its wall-clock limit.",
  tle_cpu_kernel: "The kernel ended the program at its CPU limit.",
  mle_kernel_oom: "The program needed more memory than its limit, and the kernel ended it.",
  mle_limit_breach: "The program stood at its memory limit and made no progress.",
  ple_cgroup_pids: "The program wanted more processes or threads than its limit.",
  fse_limit_exceeded: "The program wrote a file larger than its limit.",
  ole_output_limit: "The program wrote more output than its limit.",
  ce_compile_failed: "The compiler refused the program.",
  ie_cleanup_failure: "The sandbox could not remove every process of the run. Run it again.",
  ie_supervisor_failure: "The sandbox itself failed. Run the program again.",
  ie_missing_evidence: "The sandbox could not read its measurements. Run the program again.",
  ie_not_run: "The program did not run. Run it again.",
  ie_host_overloaded: "The host was overloaded. Run the program again.",
  cancelled: "It was cancelled while it ran.",
  cancelled_before_start: "It was cancelled before it began.",
};

export function verdictTitle(result) {
  if (["cancelled", "cancelled_before_start"].includes(result?.cause)) return "Cancelled";
  if (result?.cause === "ce_compile_failed") return "Compilation failed";
  if (result?.cause === "ole_output_limit") return "Output limit exceeded";
  return VERDICTS[result?.verdict] ?? "Finished";
}

export const causeSentence = (cause) => CAUSES[cause] ?? `Cause: ${cause}.`;

export const ACTORS = { runtime: "the program", kernel: "the kernel", judge: "the supervisor" };

export const INTEGRITY = {
  truncated_by_judge_limit: "The output was cut at its limit.",
  truncated_by_program_close: "The program closed its output early.",
  crash_mid_write: "The program ended while it was writing.",
  write_error: "Part of the output could not be stored.",
};

export function bytes(count) {
  if (count === null || count === undefined) return "–";
  if (count < 1024) return `${count} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(count < 10240 ? 1 : 0)} KB`;
  const megabytes = count / 1024 / 1024;
  return `${megabytes.toFixed(megabytes < 10 ? 1 : 0)} MB`;
}

export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 0.1) return "0 ms";
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} days`;
}

export const seconds = (secs) => duration(secs === null || secs === undefined ? null : secs * 1000);

export function ago(time) {
  if (!time) return "–";
  const ms = Date.now() - Date.parse(time);
  if (ms < 0) return `in ${roughly(-ms)}`;
  return ms < 1000 ? "just now" : `${roughly(ms)} ago`;
}

const roughly = (ms) => (ms < 60_000 ? `${Math.round(ms / 1000)} s` : duration(ms));

export function localTime(time) {
  return time ? new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "–";
}

export const localDay = (time) => new Date(time).toLocaleDateString(undefined, { dateStyle: "full" });

/** Counts by verdict since the reader's midnight. It may lie within an hour of UTC: that hour counts. */
export function countsToday(hours) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const counts = {};
  for (const { verdicts } of hours.filter(({ at }) => Date.parse(at) + 3_600_000 > midnight))
    for (const [verdict, count] of Object.entries(verdicts)) counts[verdict] = (counts[verdict] ?? 0) + count;
  return counts;
}

export const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);

export const utcTime = (time) => `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** `submission.completed` and `no_new_privileges` as people write them. */
export const plain = (code) => String(code ?? "").replaceAll("_", " ");

export const shortId = (id) => String(id).slice(0, 8);

/** Why a run or a delivery waits; nothing if it does not. */
export function waitingText({ waiting }) {
  if (!waiting) return "";
  const { reason, until, behind } = waiting;
  const at = until && localTime(until);
  const texts = {
    queue: `At most ${behind} before it in the queue.`,
    order: `${behind} before it in the order of its endpoint.`,
    slot: `${behind} before it, and no free send slot.`,
    breaker_open: `Its target gave no answer: its circuit breaker is open until ${at}.`,
    scheduled: `Its next attempt is at ${at}.`,
    endpoint_disabled: "Its endpoint is disabled.",
    transform: `Its transform runs ${at ?? "now"}.`,
    quota: `No quota for its transform until ${at}.`,
  };
  return texts[reason] ?? reason;
}
