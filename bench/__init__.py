"""How fast the broker is, beside its peers: contestants side by side, in one run, on one machine."""
