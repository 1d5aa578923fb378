"""The checklist as data, and the tool that says which of its rows a passing test shows."""
