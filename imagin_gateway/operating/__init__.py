"""What an operator asks of a house before, between and after the opening days: check, keys, inventory."""
