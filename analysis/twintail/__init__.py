"""The default detector, a step at a time: docs/detection.md says what it does and where its formulas come from."""
