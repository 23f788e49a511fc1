"""Words that all parts of webhooks share: types of events, results of a send, the retry schedule."""
