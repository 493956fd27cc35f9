"""What benchmarks share; none is a benchmark itself."""
