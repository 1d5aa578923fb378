"""The same small application in each framework: a page open to all, and pages that ask for somebody.

Each reads its settings from the file that IMAGIN_GATEWAY_FILE names. The suite runs every
one under a real server, and asks the same of all.
"""
