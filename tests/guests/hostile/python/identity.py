# expect: AC
# attack: T22 T29 identity: is it root, in a group of the host, or able to become either
# control: unprivileged_user
import os

if 0 in (*os.getresuid(), *os.getresgid()):
    print("ESCAPED is root")
if os.getgroups():
    print("ESCAPED is in groups", os.getgroups())
for change in (os.setuid, os.seteuid, os.setgid, os.setegid, lambda group: os.setgroups([group])):
    try:
        change(0)
    except OSError:
        continue
    print("ESCAPED became", os.getresuid(), os.getresgid())
