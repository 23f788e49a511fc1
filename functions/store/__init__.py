"""Tables. Each store owns one of them, and nothing else knows how its items look."""
