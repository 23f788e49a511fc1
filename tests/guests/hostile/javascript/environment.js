// expect: AC
// attack: T29 environment: looks for credentials in its own environment and in that of process 1
// control: clean_environment
for (const [key, value] of Object.entries(process.env)) {
  const own = ["PATH", "HOME", "LANG", "GOMAXPROCS", "UV_THREADPOOL_SIZE"].includes(key) || key.startsWith("BUN_");
  if (!own) console.log("ESCAPED found", key, value);
}
try {
  console.log("ESCAPED", require("fs").readFileSync("/proc/1/environ"));
} catch {}
