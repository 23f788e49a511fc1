import json, os
found = {}
for folder, _, names in os.walk("."):
    for name in [*names, "."]:
        path = os.path.normpath(os.path.join(folder, name))
        facts = os.stat(path)
        text = None if name == "." else open(path, "rb").read().decode("latin-1")
        found[path] = [oct(facts.st_mode & 0o7777), facts.st_uid == os.getuid(), text]
found.pop("solution.py")
print(json.dumps(found))
