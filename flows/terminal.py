"""What every command shares at the terminal: one message for a person's mistake, and tables."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click


@contextmanager
def user_errors() -> Iterator[None]:
    """A person's mistake ends in one message and exit status 2, never in a traceback."""
    from cluster.errors import ClusterError
    from domains.errors import InvalidRequest
    from flows.server import ServerFailed
    from tasks.child import EngineFailed
    from tasks.store import Refused

    try:
        yield
    except (ClusterError, InvalidRequest, Refused, EngineFailed, ServerFailed) as error:
        click.secho(f"error: {error}", fg="red", err=True)
        sys.exit(2)


def print_table(rows: list[dict[str, Any]], title: str = "") -> None:
    """Print rows as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in rows[0] if rows else ():
        numeric = isinstance(rows[0][name], (int, float))
        table.add_column(
            name, justify="right" if numeric else "left", overflow="fold", no_wrap=name in ("run", "target")
        )
    for row in rows:
        table.add_row(
            *(
                "" if value is None else f"{value:,.3f}" if isinstance(value, float) else str(value)
                for value in row.values()
            )
        )
    Console(markup=False).print(table)
