"""The machine code of `small_init`, for x86-64: bytes, and behind them what they mean, as `as` reads it.

A test assembles the text and compares. No instruction of init's writes to the template's memory, which it shares.
"""

_START = """
           ; start:
53         ; push rbx
4154       ; push r12
4889d3     ; mov rbx, rdx
4989cc     ; mov r12, rcx
4889f2     ; mov rdx, rsi
31f6       ; xor esi, esi
4531d2     ; xor r10d, r10d
4531c0     ; xor r8d, r8d
b838000000 ; mov eax, 56
0f05       ; syscall
4885c0     ; test rax, rax
754a       ; jnz back
           ; run:
488b03     ; mov rax, [rbx]
4885c0     ; test rax, rax
7822       ; js fork
488b7b08   ; mov rdi, [rbx+8]
488b7310   ; mov rsi, [rbx+16]
488b5318   ; mov rdx, [rbx+24]
4c8b5320   ; mov r10, [rbx+32]
4c8b4328   ; mov r8, [rbx+40]
0f05       ; syscall
483b4330   ; cmp rax, [rbx+48]
752a       ; jne fail
4883c338   ; add rbx, 56
ebd6       ; jmp run
           ; fork:
4c89e3     ; mov rbx, r12
bf11000000 ; mov edi, 17
31f6       ; xor esi, esi
31d2       ; xor edx, edx
4531d2     ; xor r10d, r10d
4531c0     ; xor r8d, r8d
b838000000 ; mov eax, 56
0f05       ; syscall
4885c0     ; test rax, rax
7fb8       ; jg run
7804       ; js fail
           ; back:
415c       ; pop r12
5b         ; pop rbx
c3         ; ret
           ; fail:
bf01000000 ; mov edi, 1
b8e7000000 ; mov eax, 231
0f05       ; syscall
"""
_INIT = """
               ; start:
488d1d24010000 ; lea rbx, [rip+table]
               ; run:
488b03         ; mov rax, [rbx]
4885c0         ; test rax, rax
7822           ; js settled
488b7b08       ; mov rdi, [rbx+8]
488b7310       ; mov rsi, [rbx+16]
488b5318       ; mov rdx, [rbx+24]
4c8b5320       ; mov r10, [rbx+32]
4c8b4328       ; mov r8, [rbx+40]
0f05           ; syscall
483b4330       ; cmp rax, [rbx+48]
7563           ; jne fail
4883c338       ; add rbx, 56
ebd6           ; jmp run
               ; settled:
4881eca0000000 ; sub rsp, 160
4531c0         ; xor r8d, r8d
4c890424       ; mov [rsp], r8
4c89442408     ; mov [rsp+8], r8
4889e7         ; mov rdi, rsp
be01000000     ; mov esi, 1
31d2           ; xor edx, edx
b807000000     ; mov eax, 7
0f05           ; syscall
85c0           ; test eax, eax
7535           ; jnz fail
               ; wait:
31ff           ; xor edi, edi
31f6           ; xor esi, esi
488d542420     ; lea rdx, [rsp+32]
41ba04000001   ; mov r10d, 0x1000004
b8f7000000     ; mov eax, 247
0f05           ; syscall
85c0           ; test eax, eax
751b           ; jnz fail
8b7c2430       ; mov edi, [rsp+48]
83ff02         ; cmp edi, 2
741e           ; je ended
31f6           ; xor esi, esi
31d2           ; xor edx, edx
4531d2         ; xor r10d, r10d
b83d000000     ; mov eax, 61
0f05           ; syscall
85c0           ; test eax, eax
7fcb           ; jg wait
               ; fail:
bf01000000     ; mov edi, 1
b8e7000000     ; mov eax, 231
0f05           ; syscall
               ; ended:
bf01000000     ; mov edi, 1
488d742410     ; lea rsi, [rsp+16]
b8e4000000     ; mov eax, 228
0f05           ; syscall
8b442428       ; mov eax, [rsp+40]
890424         ; mov [rsp], eax
8b442438       ; mov eax, [rsp+56]
89442404       ; mov [rsp+4], eax
31ff           ; xor edi, edi
31f6           ; xor esi, esi
31d2           ; xor edx, edx
41ba03000041   ; mov r10d, 0x41000003
b8f7000000     ; mov eax, 247
0f05           ; syscall
89442408       ; mov [rsp+8], eax
89c3           ; mov ebx, eax
85c0           ; test eax, eax
741c           ; jz tell
               ; reap:
48c7c7ffffffff ; mov rdi, -1
31f6           ; xor esi, esi
ba01000040     ; mov edx, 0x40000001
4531d2         ; xor r10d, r10d
b83d000000     ; mov eax, 61
0f05           ; syscall
85c0           ; test eax, eax
7fe4           ; jg reap
               ; tell:
31ff           ; xor edi, edi
4889e6         ; mov rsi, rsp
ba20000000     ; mov edx, 32
b801000000     ; mov eax, 1
0f05           ; syscall
85db           ; test ebx, ebx
751a           ; jnz leave
48891c24       ; mov [rsp], rbx
4889e7         ; mov rdi, rsp
be01000000     ; mov esi, 1
48c7c2ffffffff ; mov rdx, -1
b807000000     ; mov eax, 7
0f05           ; syscall
               ; leave:
31ff           ; xor edi, edi
b8e7000000     ; mov eax, 231
0f05           ; syscall
               ; table:
"""


def _bytes(listing: str) -> bytes:
    return b"".join(bytes.fromhex(line.partition(";")[0]) for line in listing.splitlines())


def source(listing: str) -> str:
    """The text of a listing, for an assembler."""
    return ".intel_syntax noprefix\n" + "\n".join(line.partition(";")[2] for line in listing.splitlines()) + "\n"


START = _bytes(_START)
"""long start(flags, int *pidfd, const long *before, const long *after): clone(2) of init, which makes the calls of
`before`, starts the program by another clone(2) and makes the calls of `after`, whose last is execveat(2). Returns
init's pid, or -errno, when that has been done, and 0 in the program."""

INIT = _bytes(_INIT)
"""The whole program of process 1. Makes the calls of the table right behind it, looks with poll(2) whether anybody
holds the other end of descriptor 0, and reaps until process 2 has ended, which it leaves for now. Then it writes 32
bytes to descriptor 0: `si_code` and `si_status` of that end, waitid(2); what a look for another child that lives gave
(-ECHILD: there is none); 4 bytes of nothing; and when, CLOCK_MONOTONIC's seconds and nanoseconds. Where none lives it
has reaped all before that, and exits. Else it stays until it is killed, and the kernel kills and reaps whatever is
left; should there be nobody any more to kill it, it exits."""

LISTINGS = {"start": (_START, START), "init": (_INIT, INIT)}
