"""How fast it is: `make bench` runs the broker beside its peers, the other modules measure one part each."""
