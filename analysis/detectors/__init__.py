"""The detectors, one a file: `analysis/detection.py` says what one is and finds them."""
