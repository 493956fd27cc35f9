"""Measuring detectors on labelled series: the sets, the methods of scoring, and the rivals."""
