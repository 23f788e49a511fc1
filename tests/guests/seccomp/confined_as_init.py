import ctypes, mmap, os, socket, sys
sys.path.insert(0, sys.argv[1])
from sandbox_runtime.jail import syscalls
from sandbox_runtime.jail.controls.seccomp import INIT, build_programs

def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return 0

attempts = [
    (os.fork,), (os.posix_spawn, "/bin/true", ["true"], {}), (os.execv, "/bin/true", ["true"]), (socket.socket,),
    (os.open, "/dev/null", os.O_RDONLY), (os.kill, os.getpid(), 0), (os.open, "/dev/null", os.O_RDWR),
    (os.open, "made", os.O_RDONLY | os.O_CREAT),
    (os.unlink, "made"), (os.chmod, "made", 0), (os.mkdir, "made"), (os.setuid, 0), (os.pipe,), (os.dup, 1),
    (mmap.mmap, -1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_EXEC),
    (syscalls.prctl, "name", 15), (syscalls.mount, "x", "/tmp", "tmpfs", 0), (os.chdir, "/"), (os.memfd_create, "x"),
]
ours = [
    lambda: mmap.mmap(-1, 4096).close(), lambda: bytearray(1 << 22), lambda: os.waitpid(child, 0),
]
child = os.posix_spawn("/bin/true", ["true"], {})
syscalls.prctl("set no_new_privs", syscalls.PR_SET_NO_NEW_PRIVS, 1)
build_programs()[INIT].load()
answers = []
for call, *arguments in attempts:
    try:
        answers.append(refused(call, *arguments))
    except syscalls.JailError as error:
        answers.append(error.errno)
for call in ours:
    call()
os.write(1, repr(sorted(set(answers))).encode())
os._exit(0)
