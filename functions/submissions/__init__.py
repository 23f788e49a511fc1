"""Submissions: a program from the request to the result."""
