import os
PLACES = ["/proc/self/exe", "/usr/bin/true", "/usr/lib", "/dev/null", "/dev/urandom", "/", "/lib", "/etc/ld.so.cache"]
for place, _, files in os.walk("/opt"):
    PLACES += [place, *(place + "/" + name for name in files[:1])]
kept = []
for place in PLACES[:20]:
    kept.append(os.open(place, os.O_RDONLY))
    facts = os.fstat(kept[-1])
    print(f"{facts.st_dev}:{facts.st_ino}", place)
print(len(kept), "places", flush=True)
