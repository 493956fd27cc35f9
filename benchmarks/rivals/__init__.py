"""What our parts are measured against: the usual way to do the same."""
