"""One file a verb of the command line; each imports its heavy parts inside its function."""
