"""A small Flask program written for RQ; see README.md beside this file."""
