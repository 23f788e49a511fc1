// expect: AC
// attack: T26 reaches out through fetch
for (const url of ["http://1.1.1.1/", "http://169.254.169.254/", "http://127.0.0.1:4096/api/health", "http://example.com/"]) {
  try {
    await fetch(url);
    console.log("ESCAPED", url);
  } catch {}
}
