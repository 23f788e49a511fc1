"""DynamoDB: items, conditional writes, transactions, the due index."""
