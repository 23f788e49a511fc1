print(input())
print(input("prompt: "))
print(input())
print(input())
try:
    input()
except EOFError as e:
    print("end", e)
