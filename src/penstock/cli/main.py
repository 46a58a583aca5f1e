"""
The program `penstock`: puts the verbs together and gives errors one line.

Exit codes: 0 done, 1 it failed, 2 the command or a setting is wrong; `dispatch` has more of them.
"""

import os
import sys
from typing import Annotated

import typer

from penstock import __version__, logs
from penstock.bootstrap import NoSuchData
from penstock.cli import dispatch, key, migrate
from penstock.cli.language import t
from penstock.cli.prove import prove
from penstock.cli.serve import serve
from penstock.cli.smsc import smsc
from penstock.config import BadSettings
from penstock.domain.errors import StoreUnavailable
from penstock.part import PartFailed
from penstock.prove.programs import DidNotEnd, DidNotStart
from penstock.store.installation import NoPostgres
from penstock.store.migrate import DatabaseUnfit
from penstock.store.ownership import DataInUse
from penstock.supervisor import CannotListen

#: What kept a command from doing its work; each says so in one sentence.
FAILURES = (NoSuchData, NoPostgres, DataInUse, CannotListen, PartFailed, DidNotStart, DidNotEnd)

app = typer.Typer(
    name="penstock",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=t("Self-hosted mass messaging over the Direct HTTP API, with a stop that is exact."),
)
app.command(
    "serve",
    help=t("Run the server."),
    epilog=t("Each option may also stand in the file, as port, or in the environment, as PENSTOCK_PORT."),
)(serve)
app.command("smsc", help=t("Run an SMSC that answers as the options say."))(smsc)
app.command("prove", help=t("Prove that nothing leaves after a stop: stops at full rate, with faults."))(prove)
app.add_typer(key.app, name="key")
app.add_typer(migrate.app, name="db")
app.add_typer(dispatch.app, name="dispatch")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"penstock {__version__}")
        raise typer.Exit


@app.callback()
def begin(
    *,
    version: Annotated[  # noqa: ARG001 - its callback has done all
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help=t("Print the version and end."))
    ] = False,
) -> None:
    """Set up what all commands share."""
    logs.set_up("warning")


def main() -> None:
    """Run a command and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code; an error becomes one line on stderr."""
    try:
        code = app(arguments, prog_name="penstock", standalone_mode=False)
    except typer.TyperException as error:
        return _complain(error.format_message(), error.exit_code)
    except BadSettings as error:
        return _complain(str(error), 2)
    except FAILURES as error:
        return _complain(str(error), 1)
    except (StoreUnavailable, DatabaseUnfit) as error:
        return _complain(_about_database(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    return code if isinstance(code, int) else 0


def _about_database(error: StoreUnavailable | DatabaseUnfit) -> str:
    if isinstance(error, DatabaseUnfit):
        return t("the database cannot be used: {reason}", reason=error)
    cause = error.__cause__
    reason = str(cause) or type(cause).__name__
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        # The system's word for it, and where it was met; the driver says only the latter.
        reason = ": ".join(dict.fromkeys((os.strerror(cause.errno), str(cause.strerror))))
    return t("the database does not answer: {reason}", reason=reason)


def _complain(sentence: str, code: int) -> int:
    if sentence:
        typer.echo("penstock: " + " ".join(sentence.split()), err=True)
    return code


if __name__ == "__main__":
    main()
