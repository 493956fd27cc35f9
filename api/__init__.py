"""The HTTP API: one ASGI app. Tags and profile reads are asyncio handlers, everything else is the Flask app."""
