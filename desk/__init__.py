"""What a person at the desk asks of the system, and does to it: for the pages and for the shell."""
