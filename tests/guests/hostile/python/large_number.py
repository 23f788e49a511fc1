# expect: TLE
# attack: T17 T20 large_number: arithmetic that is one step of the interpreter
# control: cpu_limit
import time

number = 3
while time.process_time() < 0.7:
    number *= number
    if number.bit_length() > 20_000_000:
        number = 3
print("ESCAPED multiplied for 0.7 s")
