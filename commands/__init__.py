"""The commands of `balansity`, one file a noun; cli.py puts them together."""
