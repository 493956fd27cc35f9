"""The bins of topic `series`, judged: which are closed, which series were quiet, and what the detector says of each."""
