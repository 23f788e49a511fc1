import timeit, bisect, heapq, json, re, collections
print(json.dumps(collections.Counter("abca")), re.findall("a.", "abac"), heapq.nsmallest(2, [3, 1, 2]))
