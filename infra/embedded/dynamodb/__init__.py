"""DynamoDB: tables, items and indexes; conditions and updates; reads, writes and transactions.

expressions   text to syntax trees, once for each text; a condition and an item to True or False; key conditions
items         values and rows of the file, and the entries of indexes that follow them; consumed capacity
tables        tables, their keys, indexes and streams, and the operations that define them
reads, writes   the other operations; `writes` has updates and transactions too
"""
