"""
Fuzzing led by coverage: ``python -m tests.abuse.fuzz [--seconds N] [TARGET …]``, as ``make fuzz`` runs it.

Each target has a process of its own, since atheris ends the one that it runs in.  What was found
interesting is kept in `.fuzz`, so that the next run goes on there; an input that broke something
stays in `.fuzz` too, is shown, and belongs into `test_fuzz.BROKEN`.
"""

import argparse
import asyncio
import hashlib
import sys
from pathlib import Path

KEPT = Path(".fuzz")
#: Megabytes that one target may use, and seconds that one input may take.
_MEMORY = 1024
_LONGEST = 10


def run_target(name: str, arguments: list[str]) -> None:
    """Be the process of one target; does not return."""
    import atheris  # noqa: PLC0415 - it is there for this process only

    assert not any(module.startswith("penstock") for module in sys.modules), "imported before it could be watched"
    with atheris.instrument_imports(include=["penstock"]):
        from tests.abuse.fuzz.targets import TARGETS  # noqa: PLC0415 - so that what it imports is watched

    atheris.Setup([name, *arguments], TARGETS[name])
    atheris.Fuzz()


async def fuzz(name: str, seconds: int) -> bool:
    """Run one target for some *seconds*; False when it broke."""
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in begin_with()[name]:
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.abuse.fuzz", "--be", name, str(corpus),
        f"-max_total_time={seconds}", f"-timeout={_LONGEST}", f"-rss_limit_mb={_MEMORY}",
        f"-artifact_prefix={KEPT}/{name}-", "-max_len=20000", "-print_final_stats=1",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output = (await process.communicate())[0].decode(errors="replace")
    runs = next((line.split()[-1] for line in output.splitlines() if "number_of_executed_units" in line), "?")
    covered = next((line for line in reversed(output.splitlines()) if " cov: " in line), "")
    print(f"{name:8} {runs:>10} inputs in {seconds} s  {covered.strip()[:90]}")  # noqa: T201 - the report
    if process.returncode != 0:
        print(output[-6000:])  # noqa: T201 - the report
    return process.returncode == 0


def begin_with() -> dict[str, list[bytes]]:
    """Return the seeds of each target."""
    from tests.abuse.fuzz.seeds import seeds  # noqa: PLC0415 - not in the process of a target: see there

    return seeds()


async def main() -> int:
    """Run the targets one after the other and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(begin_with()))
    given = parser.parse_args()
    good = [await fuzz(name, given.seconds) for name in given.targets or begin_with()]
    return 0 if all(good) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--be"]:
        run_target(sys.argv[2], sys.argv[3:])
    sys.exit(asyncio.run(main()))
