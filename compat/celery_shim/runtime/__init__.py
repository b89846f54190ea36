"""Ours, behind Celery's names: messages, queues, workers and results inside this process.

Only this package touches the engine.
"""
