"""The wire: JSON shapes as phones and programs see them: WatermelonDB change sets, the schema, problems.

Must not know: engine, store, aiohttp.
"""
