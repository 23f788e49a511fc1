"""The vocabulary and message format between functions and runner."""
