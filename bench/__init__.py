"""How fast it is; each module runs by itself: `python -m bench.<name>`."""
