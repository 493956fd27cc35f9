"""A small client that pushes metrics to Tidewatch. Needs nothing but Python's own library.

    from client import Client

    metrics = Client("http://127.0.0.1:8080", labels={"host": "web-1"})
    metrics.gauge("queue", 12)
    metrics.counter("calls", route="/")
    with metrics.timer("took"):
        work()

It never raises into the program and never makes it wait: points go to a bounded buffer, a daemon thread sends them.
"""

from client.client import Client, Counts

__all__ = ["Client", "Counts"]
