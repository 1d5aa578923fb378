"""What an operator asks of a house."""
