"""The `tidewatch` command, one file a subcommand."""
