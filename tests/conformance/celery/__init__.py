"""Conformance of the Celery shim: every test here also passes against the real celery 5.7.0."""
