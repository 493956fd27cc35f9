"""Other ways to run Python on a stream, doing what our jobs do: a file and its requirements each."""
