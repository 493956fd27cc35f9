"""The Flink jobs: one pipeline a file, read from top to bottom: source, transform, sink."""

import sys

# PyFlink's workers put a `print` of their own in place of Python's; numba, when it is imported, looks for it in the
# module that it says it is of, and does not find it.
vars(sys.modules[print.__module__]).setdefault("print", print)
