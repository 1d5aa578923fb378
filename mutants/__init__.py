"""Breaking the code by machine, one small change at a time, to see whether a test notices: `make mutants`."""
