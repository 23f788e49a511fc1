"""The routes of submissions: parse, call one use case, answer."""
