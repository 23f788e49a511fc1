import signal
for n in sorted(signal.valid_signals()):
    print(int(n), signal.getsignal(n))
