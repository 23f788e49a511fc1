"""Read an event of Stripe, and fail if its charge is not plausible."""

import json
import os
import sys
import urllib.request

CURRENCIES = {"eur", "usd"}
MOST = 100_000  # in cents

# https://docs.stripe.com/api/charges/object
charge = json.load(sys.stdin)["data"]["object"]
if stripe := os.environ.get("RUSTBOX_SECRET_STRIPE_URL"):
    with urllib.request.urlopen(f"{stripe}/v1/charges/{charge['id']}", timeout=10) as answer:
        charge = json.load(answer)
amount, currency = charge["amount"], charge["currency"]
problems = []
if not 0 < amount <= MOST:
    problems.append(f"an amount of {amount} is not above 0 and at most {MOST}")
if currency not in CURRENCIES:
    problems.append(f"the currency {currency} is none of ours")
print("\n".join(problems) or f"{amount} {currency} is plausible")
sys.exit(1 if problems else 0)
