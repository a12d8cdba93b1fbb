"""The demonstration: invented families, a day's events in a minute, and a check that each had its effects once."""
