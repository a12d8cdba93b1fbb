<<<<<<< HEAD
"""How fast it is; each module runs by itself: `python -m bench.<name>`."""
=======
"""How fast the broker is, beside its peers: contestants side by side, in one run, on one machine."""
>>>>>>> bench
