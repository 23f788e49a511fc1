// expect: AC
// attack: T26 T29 fetch_metadata: asks the places where clouds keep credentials
// alone: a jail with the way out would reach servers that are not the test's
for (const url of ["http://169.254.169.254/latest/meta-data/", "http://169.254.170.2/v2/credentials", "http://metadata.google.internal/", "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", "https://example.com/"]) {
  try {
    await fetch(url);
    console.log("ESCAPED fetched", url);
  } catch {}
}
