"""The platform under kills and stops, with traffic going on: `make chaos`, and a short version in tests/e2e."""
