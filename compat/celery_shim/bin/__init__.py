"""The ``celery`` command. Needs the package `click`, as Celery does: projects add click options and commands to it.

Nothing outside this package imports it, so a program without a command line needs no click.
"""
