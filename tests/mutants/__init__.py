"""Named breaks of the shims, each of which a conformance test must notice."""
