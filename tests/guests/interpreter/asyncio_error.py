import asyncio
async def main():
    raise ValueError("async")
asyncio.run(main())
