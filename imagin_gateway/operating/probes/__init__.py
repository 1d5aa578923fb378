"""One module per thing that can be wrong. A probe looks and tells; it changes nothing and shows no secret."""
