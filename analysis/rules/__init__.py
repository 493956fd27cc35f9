"""Rules judged, without engine, clock or input: `engine.Engine` takes state and messages, returns state and alerts."""
