"""`python -m brokerless.compat.rq_shim.cli`."""

from . import main

if __name__ == "__main__":
    main()
