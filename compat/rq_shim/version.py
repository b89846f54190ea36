"""The release of RQ that this package answers for."""

VERSION = "3.0.0"
