"""The Flink jobs: one pipeline a file, read from top to bottom: source, transform, sink."""

import sys

# PyFlink's workers put a `print` of their own in place of Python's, and numba, when imported, looks for it by the
# module that it says it is of, where it is not found.
vars(sys.modules[print.__module__]).setdefault("print", print)
