# Input: lines of `case scheme host port`. Output: `case: answer` or `case: error`.
import http.client, os, ssl, sys, urllib.request

trusting = ssl.create_default_context(cadata=os.environ["CA_PEM"])
for line in sys.stdin:
    case, scheme, host, port = line.split()
    context = {"context": trusting if case != "bad_certificate" else ssl.create_default_context()}
    try:
        with urllib.request.urlopen(
            f"{scheme}://{host}:{port}/", timeout=1 if case == "silent" else 20, **(context if scheme == "https" else {})
        ) as answer:
            print(f"{case}: {answer.read().decode()}")
    except (OSError, http.client.HTTPException) as error:
        print(f"{case}: {error!r}")
