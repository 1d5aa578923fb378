"""What hosts are given for their own tests."""
