"""What a person can mend: a file, a name or a wish that the cluster cannot take."""


class ClusterError(ValueError):
    """The base of all messages that are for a person; they say where, what is wrong and what would be valid."""
