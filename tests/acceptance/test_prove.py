"""
The proof that ships with the product: it holds, and it can fail.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from tests.harness.programs import PENSTOCK

SECONDS = 170


async def prove(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Run a proof and return its exit code and its verdict."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
    process = await asyncio.create_subprocess_exec(
        PENSTOCK, "prove", "--json", "--keep", str(folder / "proof"), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            said, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode in (0, 1), complaints.decode()
    return process.returncode, json.loads(said)


async def test_nothing_leaves_after_a_stop_whatever_goes_wrong(tmp_path: Path) -> None:
    """A short proof with every fault finds no leak, no duplicate, nothing lost, and every account exact."""
    code, verdict = await prove(tmp_path, "--stops", "12", "--size", "2000", "--faults", "all", "--seed", "4")

    assert verdict["wrong"] == []
    assert (code, verdict["passed"]) == (0, True)
    assert verdict["stops"] == 12
    assert verdict["in_the_middle"] >= 8
    assert sum(row["faults"] for row in verdict["by_fault"].values()) >= 6
    assert verdict["messages"] > 2000
    assert (tmp_path / "proof" / "wire.jsonl").stat().st_size > 0


async def test_a_proof_without_the_gate_fails(tmp_path: Path) -> None:
    """When senders do not look at their gate, the proof sees what leaks."""
    code, verdict = await prove(
        tmp_path, "--stops", "4", "--size", "3000", "--faults", "freeze", "--seed", "2", "--without-gate"
    )

    assert (code, verdict["passed"]) == (1, False)
    assert verdict["leaks"] > 0
    assert verdict["by_fault"]["freeze"]["leaks"] > 0
    assert "GATE_IS_OFF" in (tmp_path / "proof" / "serve.log").read_text(encoding="utf-8")
