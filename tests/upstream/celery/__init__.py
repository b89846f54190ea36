"""Celery 5.7.0's own tests against the Celery shim; `python -m tests.upstream.celery.run --help`."""
