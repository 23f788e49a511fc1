"""Print the status of an HTTPS target. Standard input: the certificate authorities to trust."""

import ssl
import sys
import urllib.request

trusted = ssl.create_default_context(cadata=sys.stdin.read())  # without this line: the public authorities
with urllib.request.urlopen("https://host.rustbox.internal:4443/", timeout=5, context=trusted) as answer:
    print(answer.status)
