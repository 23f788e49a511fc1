import sys
print([p for p in sys.path_importer_cache if not p.startswith("/usr")])
