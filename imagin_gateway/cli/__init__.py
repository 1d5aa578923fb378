"""The command line, for the operator. One file a command group; what it prints is in French."""
