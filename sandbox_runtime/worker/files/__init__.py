"""Stored files of requests, on their way to a run.

1. An intake asks `fetching.Fetcher` for the files of a request, before the request waits for a slot.
2. `file_cache.FileCache` has each blob of a project once on disk, and downloads a missing one.
3. A judge run reads the cases of a stored problem one by one: `fetching.Fetcher.read`.
4. A request holds a `file_cache.RunFolder` from then to its end: links to its files, which the jail shows.
"""
