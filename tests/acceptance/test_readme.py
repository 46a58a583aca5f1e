"""
The quick start of the README, run as it stands.
"""

import asyncio
import json
import os
import re
from pathlib import Path

from penstock.prove.programs import Program
from tests.harness.programs import PENSTOCK

_README = Path(__file__).parents[2] / "README.md"


def _blocks():
    """Return the shell blocks of the quick start."""
    text = _README.read_text(encoding="utf-8")
    quick_start = text.partition("## Quick start")[2].partition("### With a carrier")[0]
    return re.findall(r"```sh\n(.*?)```", quick_start, re.DOTALL)


async def test_the_quick_start_works(tmp_path):
    """
    Who copies the quick start line by line sends a dispatch, and stops another.
    """
    serve, *commands = _blocks()
    assert serve == ".venv/bin/penstock serve --data penstock-data\n"
    server = await Program.launch(
        "serve", "--data", str(tmp_path / "penstock-data"), "--port", "0", said=tmp_path / "serve.err"
    )
    try:
        script = "\n".join(commands).replace(".venv/bin/", f"{PENSTOCK.parent}/")
        process = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8080", server.ready),
            cwd=tmp_path, env=os.environ | {"PENSTOCK_URL": server.ready, "PENSTOCK_LANGUAGE": "en"},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output = (await asyncio.wait_for(process.communicate(), 60))[0].decode()
    finally:
        await server.end()

    assert process.returncode == 0, output
    assert "accepted 2 of 2" in output
    assert "done: 2 of 2 handed over" in output
    receipt = json.loads(output.splitlines()[-1])
    assert receipt["total"] == 2
    assert receipt["counts"]["neverSent"] >= 1
