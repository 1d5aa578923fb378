"""What people see: templates, texts, styles. No third-party resource, no script needed."""
