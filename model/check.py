"""
Check the models of the stop with spin, and that spin finds what is wrong with each broken one.

Prints a line for each run, and ends with 1 if one of them did not come out as it must.  What the
runs mean is told in docs/model.md.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
#: What the checker needs: spin, and what compiles the checkers that it writes.
PACKAGES = ("spin", "gcc", "libc6-dev")
#: Memory of one run in MiB; two run at once.
MOST_MEMORY = 3500
SECONDS = 900.0

SAFETY = ("-DSAFETY", "-DNOREDUCE", "-DNOFAIR")
#: Every task a process: with up to 16 of them, each that can go on for ever at last does.
FAIR = ("-DNOREDUCE", "-DNFAIR=6")

CARRIER = "REFUSE THROTTLE PARTIAL"


class Run(NamedTuple):
    """One model with some macros, and how its check has to come out."""

    what: str
    model: str
    macros: str = ""
    holds: bool = True
    is_long: bool = False

    @property
    def needs_fairness(self) -> bool:
        """Whether it is about what happens at last rather than about what never does."""
        return "LIVENESS" in self.macros.split()


class Result(NamedTuple):
    """How a check came out."""

    is_complete: bool
    steps: int  #: the length of the counter-example, 0: there is none
    states: int
    depth: int
    mebibytes: float
    seconds: float


RUNS = (
    # What holds.
    Run("the gate shuts before the lease is over", "lease"),
    Run("P1, P2, once: two messages, any carrier", "stop", f"MESSAGES=2 {CARRIER}", is_long=True),
    Run("P1, P2, once: a pause before the stop", "stop", "MESSAGES=2 PAUSE", is_long=True),
    Run("P1, P2, once: a pause before the stop, any carrier", "stop", f"MESSAGES=1 PAUSE {CARRIER}", is_long=True),
    Run("P5: the stop ends, two senders", "stop", "MESSAGES=1 SENDERS=2 LIVENESS", is_long=True),
    Run("P5: the stop ends, two messages", "stop", "MESSAGES=2 SENDERS=1 LIVENESS"),
    # What must be possible, or the above says little.
    Run("possible: accepted beside refused", "stop", "MESSAGES=2 REFUSE WITNESS=accepted*refused", holds=False),
    Run("possible: accepted beside in doubt", "stop", "MESSAGES=2 WITNESS=accepted*in_doubt", holds=False),
    Run("possible: accepted beside never sent", "stop", "MESSAGES=2 WITNESS=accepted*slices", holds=False),
    Run("possible: in doubt beside never sent", "stop", "MESSAGES=2 WITNESS=in_doubt*slices", holds=False),
    # What breaks when a rule is taken away.
    Run("no margin between the clocks", "lease", "M_NO_MARGIN", holds=False),
    Run("the gate counts from the answer", "lease", "M_FROM_HEARD", holds=False),
    Run("a clock that stands still in a suspension", "lease", "M_CLOCK_STOPS", holds=False),
    Run("P1: no look at the gate", "stop", "MESSAGES=1 M_NO_GATE PROMISES=P1", holds=False),
    Run(
        "P1: no look at it for what the kernel left over",
        "stop",
        "MESSAGES=1 PARTIAL M_BUFFER PROMISES=P1",
        holds=False,
    ),
    Run("P1: no margin between the clocks", "stop", "MESSAGES=1 M_NO_MARGIN PROMISES=P1", holds=False),
    Run("P1: an old renewal opens the gate", "stop", "MESSAGES=1 M_STALE_ANSWER PROMISES=P1", holds=False),
    Run("P1: an ended lease can be renewed", "stop", "MESSAGES=1 M_RENEW_ENDED PROMISES=P1", holds=False),
    Run("P1: a claim does not lock the dispatch", "stop", "MESSAGES=1 M_CLAIM_UNLOCKED PROMISES=P1", holds=False),
    Run("P1: a look from one halt ends the next", "stop", "MESSAGES=1 PAUSE M_ANY_HALT PROMISES=P1", holds=False),
    Run("P1: a stop does not wait for claims", "stop", "MESSAGES=1 M_NO_WAIT PROMISES=P1", holds=False),
    Run("P2: claims of the dead count as never sent", "stop", "MESSAGES=1 M_FORGET_DOUBT PROMISES=P2", holds=False),
    Run("P2: a sender records without its claim", "stop", "MESSAGES=1 M_RECORD_ANYWAY PROMISES=P2", holds=False),
    Run("once: claims of the dead are sent again", "stop", "MESSAGES=1 M_RESEND PROMISES=ONCE", holds=False),
    Run("P5: claims may be made while changing", "stop", "MESSAGES=1 SENDERS=1 LIVENESS M_CLAIM_CHANGING", holds=False),
    Run("P5: nobody goes on for a caller that died", "stop", "MESSAGES=1 SENDERS=1 LIVENESS M_NO_SWEEPER", holds=False),
    Run(
        "P5: a claim of unknown fate is kept", "stop", "MESSAGES=1 SENDERS=1 LIVENESS M_NO_RETURN_UNKNOWN", holds=False
    ),
    # What is known to be left (docs/decisions/0006), and what a machine has to provide.
    Run("left: frozen between look and write, P1", "stop", "MESSAGES=1 M_LOOK_EARLY PROMISES=P1", holds=False),
    Run(
        "left: frozen between look and write, P2 and once",
        "stop",
        "MESSAGES=2 M_LOOK_EARLY PROMISES=P2+ONCE",
        is_long=True,
    ),
    Run("left: the database's clock is set forward", "lease", "M_DATABASE_JUMPS", holds=False),
)


def main() -> int:
    """Make all runs, or those that were asked for, and return the exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("word", nargs="?", default="", help="only the runs that have this in their description")
    wanted = options.parse_args().word
    install()
    # The long ones first, so that both cores are busy to the end.
    runs = sorted((run for run in RUNS if wanted in f"{run.what} {run.macros}"), key=lambda run: not run.is_long)
    failures = 0
    began = time.monotonic()
    print(f"{'':4} {'states':>11} {'depth':>6} {'MiB':>6} {'s':>6}  run", flush=True)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for run, result in zip(runs, pool.map(check, runs), strict=True):
            holds = not result.steps and result.is_complete
            is_good = holds if run.holds else result.steps > 0
            failures += not is_good
            found = f"counter-example of {result.steps} steps" if result.steps else "holds" if holds else "NOT COMPLETE"
            print(
                f"{'ok' if is_good else 'FAIL':4} {result.states:11,} {result.depth:6} {result.mebibytes:6.0f}"
                f" {result.seconds:6.1f}  {run.what}: {found}  ({run.model}.pml {run.macros})",
                flush=True,
            )
    print(f"{len(runs)} runs, {failures} not as they must be, {time.monotonic() - began:.0f} s")
    return 1 if failures else 0


def check(run: Run) -> Result:
    """Make one run."""
    with tempfile.TemporaryDirectory(prefix="penstock-model-") as name:
        folder = Path(name)
        macros = [f"-D{macro}" for macro in run.macros.split()]
        call("spin", *macros, "-a", str(HERE / f"{run.model}.pml"), folder=folder)
        flags = FAIR if run.needs_fairness else SAFETY
        call("gcc", "-O2", "-w", *flags, f"-DMEMLIM={MOST_MEMORY}", "-o", "pan", "pan.c", folder=folder)
        how = ["-a", "-f"] if run.needs_fairness else []
        began = time.monotonic()
        said = call(str(folder / "pan"), *how, "-m5000000", "-w26" if run.is_long else "-w20", folder=folder)
        return read(said, time.monotonic() - began)


def call(*command: str, folder: Path) -> str:
    """Run a program and return what it said; one that fails ends everything."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603 - all ours
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def read(said: str, seconds: float) -> Result:
    """Read what a checker has said."""
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"([\d.e+]+) states, stored", said)
    depth = re.search(r"depth reached (\d+)", said)
    memory = re.search(r"([\d.]+)\s+total actual memory usage", said)
    if errors is None or states is None or depth is None or memory is None:
        raise SystemExit(f"the checker did not end as it should: {said}")
    found = re.search(r"^pan:\d+: .* \(at depth (\d+)\)", said, re.MULTILINE)
    is_cut_short = re.search(r"Search not completed|max search depth too small|out of memory", said) is not None
    if bool(int(errors[1])) != (found is not None):
        raise SystemExit(f"the checker did not say what is wrong: {said}")
    steps = 0 if found is None else int(found[1])
    return Result(not is_cut_short, steps, int(float(states[1])), int(depth[1]), float(memory[1]), seconds)


def install() -> None:
    """Install what is missing."""
    if all(map(shutil.which, ("spin", "gcc"))):
        return
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
        subprocess.run([*as_root, "apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments], check=True)  # noqa: S603 - all ours


if __name__ == "__main__":
    sys.exit(main())
