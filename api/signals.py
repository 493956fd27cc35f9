"""What the server process tells its workers. Imports nothing heavy: the server process serves no request itself."""

import signal
from typing import Final

# Just before workers are ended: granian gives the app no sign while requests are in flight, and those may wait for the
# broker for longer than a worker is given.
DRAIN: Final = signal.SIGUSR1

# prometheus_client's variable: the folder in which several workers keep their counters, so that any shows the sum.
SHARED_METRICS: Final = "PROMETHEUS_MULTIPROC_DIR"
