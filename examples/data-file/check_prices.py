"""Check prices.csv on standard input: each product once, with a price above zero in a known currency."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

CURRENCIES = {"EUR", "USD"}


def problems(row: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with a row."""
    try:
        if Decimal(row["price"]) <= 0:
            yield f"{row['product']}: the price {row['price']} is not above zero"
    except InvalidOperation:
        yield f"{row['product']}: {row['price']!r} is no price"
    if row["currency"] not in CURRENCIES:
        yield f"{row['product']}: the currency {row['currency']!r} is unknown"


rows = list(csv.DictReader(sys.stdin))
counts = Counter(row["product"] for row in rows)
wrong = [f"{product}: {count} rows" for product, count in counts.items() if count > 1]
wrong += [problem for row in rows for problem in problems(row)]
print("\n".join(wrong) or f"{len(rows)} prices are right")
sys.exit(bool(wrong))
