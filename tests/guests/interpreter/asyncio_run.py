import asyncio
async def main():
    await asyncio.sleep(0.01)
    return await asyncio.gather(*(asyncio.to_thread(lambda n=n: n * n) for n in range(3)))
print(asyncio.run(main()))
