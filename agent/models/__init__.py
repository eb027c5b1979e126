"""The catalogue of open models: what each is for, may be used for and needs, and which of them fit a hub."""
