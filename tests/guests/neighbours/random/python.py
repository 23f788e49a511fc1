import os, random, uuid
# Hash seed and addresses are the template's, see docs/threat-model.md.
print(random.random(), uuid.uuid4(), os.urandom(8).hex(), sep="\n")
