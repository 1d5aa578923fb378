"""What `bench.sessions` is made of: a module a subject, and the applications they drive."""
