"""Other projects' own test suites, run unmodified against the shims."""
