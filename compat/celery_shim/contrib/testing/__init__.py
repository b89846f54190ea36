"""Help for test suites: apps without side effects, embedded workers, messages."""
