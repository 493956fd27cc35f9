"""What crosses between parts: events, the batch codec, names, settings. Imports nothing of ours."""
