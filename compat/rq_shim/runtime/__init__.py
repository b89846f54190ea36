"""What stands behind RQ's names: the store of one process, its keys, and how jobs run. Private to the shim."""
