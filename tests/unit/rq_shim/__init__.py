"""The RQ shim where it goes beyond RQ, and its workers that start by themselves."""
