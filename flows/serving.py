"""``ai4s serve``: a group's server with its schedules, pages and people."""

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from flows.terminal import print_table, user_errors

SITE_OPTIONS = (
    click.option(
        "--data", type=click.Path(path_type=Path), default=Path("serving"), envvar="AI4S_SERVE_DATA", show_default=True,
        metavar="DIR", help="Folder of the database, runs, templates and logs.",
    ),
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0: all."),
    click.option("--port", type=click.IntRange(1, 65535), default=4200, show_default=True),
    click.option(
        "--database", default="", envvar="AI4S_SERVE_DATABASE", metavar="URL",
        help="postgresql://USER@HOST/NAME; a URL with a password goes into the environment's AI4S_SERVE_DATABASE. Default: SQLite.",
    ),
    click.option(
        "--password-file", type=click.Path(path_type=Path), metavar="FILE",
        help="It holds the password of the user admin; or the environment's AI4S_SERVE_PASSWORD.",
    ),
    click.option(
        "--schedules", type=click.Path(path_type=Path), metavar="FILE", help="What runs when; see docs/operations.md."
    ),
    click.option("--profile", default="", help="Where runs compute; default: the configured place."),
    click.option("--runs-at-once", type=click.IntRange(1), default=2, show_default=True, help="The others wait."),
)  # fmt: skip


def _site_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(SITE_OPTIONS):
        command = option(command)
    return command


@click.command()
@_site_options
@click.option("--check", is_flag=True, help="Say what is wrong, and start nothing.")
@click.option("--status", is_flag=True, help="Say how the server that runs on this data folder is.")
@click.option(
    "--backup", type=click.Path(path_type=Path), metavar="DIR", help="Copy the database and the runs' results there."
)
@click.option("--json", "as_json", is_flag=True, help="With --check or --status: print JSON.")
@click.pass_context
def serve(
    context: click.Context, /, check: bool, status: bool, backup: Path | None, as_json: bool, **given: Any
) -> None:
    """Serve a group: schedules, forms and approvals on Prefect's pages, and a worker that runs them.

    Ctrl-C stops it in good order; runs that are under way go on after the next start.
    """
    if sum((check, status, backup is not None)) > 1:
        raise click.UsageError("give one of --check, --status and --backup")
    with user_errors():
        site = _site(context, **given)
        if check or status:
            _tell(site, as_json, status)
        elif backup is not None:
            from flows.serving_backup import back_up

            for line in back_up(site, backup.absolute()):
                click.echo(line)
        else:
            _serve(site)


def _site(context: click.Context, password_file: Path | None, database: str, data: Path, **given: Any) -> Any:
    from domains.errors import InvalidRequest
    from flows.serving_site import Site, database_of, read_password, without_password

    typed = context.get_parameter_source("database") is click.core.ParameterSource.COMMANDLINE
    if typed and without_password(database) != database:
        raise InvalidRequest(
            "--database", without_password(database), "its password would be seen in the list of processes",
            "export AI4S_SERVE_DATABASE=URL, or leave the password out and keep it in ~/.pgpass",
        )  # fmt: skip
    if given["schedules"] is not None:
        given["schedules"] = given["schedules"].absolute()
    return Site(
        data=data.expanduser().absolute(),
        database=database_of(database),
        password=read_password(password_file),
        **given,
    )


def _tell(site: Any, as_json: bool, status: bool) -> None:
    """Print the findings; exit status 1 where something is wrong."""
    from flows.serving_check import check
    from flows.serving_status import look

    found = [one.as_dict() for one in (look(site) if status else check(site))]
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print_table(found)
    sys.exit(1 if any(one["state"] == "wrong" for one in found) else 0)


def _serve(site: Any) -> None:
    from flows.serving_check import WRONG, check
    from flows.serving_supervisor import serve as keep_serving

    log = logging.getLogger("ai4s.serve")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%Y-%m-%d %H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    wrong = [one for one in check(site) if one.state == WRONG]
    for one in wrong:
        click.secho(f"error: {one.what}: {one.words}", fg="red", err=True)
    if wrong:
        sys.exit(2)
    keep_serving(site)
    log.info("stopped; runs that were under way go on after the next start")
