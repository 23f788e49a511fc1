"""DynamoDB: tables, items and indexes; conditions and updates; reads, writes and transactions.

expressions  text to syntax trees, once for each text
conditions   a tree and an item to True or False
updates      a tree and an item to the next item
values       values of attributes, and the order of keys
tables       tables, their keys and their indexes
items        rows of the file, and the entries of indexes that follow them
definitions, reads, writes, transactions, streams   the operations
"""
