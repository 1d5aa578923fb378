"""The pages of the documentation that are written from the code: `make reference` writes them, a test compares.

Each module of a page has `PAGE`, where it stands under docs, and `text()`, what it says.
"""
