"""The typed facts of a request: numbers, names, places, times, limits."""
