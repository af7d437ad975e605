"""`python -m lib COMMAND`: the same rooms as the notebooks use, from a terminal."""

import json
import sys
from pathlib import Path
from typing import Any

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The face-mask workbench: crawl, de-duplicate, mask, label, train, evaluate, detect.

    A command that was called wrongly, or given something that cannot be used, ends with code 2 and one sentence.
    """


@main.command()
@click.option(
    "--need", type=click.Choice(["use", "run", "test"]), help="Print only what is missing for this, if anything."
)
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
def doctor(need: str | None, as_json: bool) -> None:
    """What is here, what is missing, and the command that mends it. Ends with code 1 where something essential is."""
    from . import doctor as room

    findings = room.examine(need or "run")
    if as_json:
        click.echo(json.dumps([f.row() for f in findings], indent=1))
    else:
        text = room.report([f for f in findings if f.state == "broken"] if need else findings)
        click.echo(text, nl=bool(text))
    sys.exit(any(f.state == "broken" for f in findings))


@main.command()
@click.option("--data", default="", help="A folder of your own photos; without it, the sample people.")
@click.option("--quick", is_flag=True, help="Fewer people and steps: a look at the whole in a minute or two.")
def run(data: str, quick: bool) -> None:
    """Run notebooks 01 to 05 in order, and say what came out (this is `make run`)."""
    from . import run as room

    work = room.workspace_for(data)
    room.execute(work, data=data or None, quick=quick, say=click.echo)
    click.echo(room.summary(work))


@main.command()
def notebooks() -> None:
    """Run all notebooks on the sample and keep their outputs in notebooks/ (this is `make notebooks`)."""
    from . import run as room

    for path in room.keep_outputs(say=click.echo):
        click.echo(f"{path.stat().st_size / 1e3:6.0f} kB  {path.name}")


def start(arguments: list[str] | None = None) -> Any:
    """Run a command; what the caller can mend is one sentence and code 2, never a traceback."""
    from .batch import Skip

    try:
        main.main(arguments, standalone_mode=False)
    except click.ClickException as trouble:
        trouble.show()
        return trouble.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except (ValueError, FileNotFoundError, RuntimeError, Skip) as trouble:
        click.echo(f"{trouble}", err=True)
        return 2
    except OSError as trouble:
        where = f" ({Path(trouble.filename)})" if trouble.filename else ""
        click.echo(f"{trouble.strerror or trouble}{where}", err=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(start())
