"""The console: one page in the browser, for people with an API key. It uses nothing but the public API."""
