"""Host applications, each in its framework, under its real server."""
