"""Result stores. ``local`` keeps results in this process; ``base`` is what other stores build on."""
