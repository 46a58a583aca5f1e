"""
Everything that the OpenAPI document allows, and much that it does not, asked of the installed program.

PENSTOCK_FUZZ_EXAMPLES sets how many requests are tried for each operation and phase, PENSTOCK_SEED which.
"""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from tests.harness.client import Client
from tests.harness.programs import running_serve, running_smsc

EXAMPLES = os.environ.get("PENSTOCK_FUZZ_EXAMPLES", "8")
SEED = os.environ.get("PENSTOCK_SEED", "1")

ROOT = Path(__file__).parents[2]
SETTINGS = Path(__file__).with_name("schemathesis.toml")
SCHEMATHESIS = Path(sys.executable).with_name("st")


async def prepare(client: Client) -> tuple[list[int], list[str]]:
    """Make a dispatch in each status that lasts, so that requests find something; returns ids and a message."""
    slow = {"rate": {"unit": "d", "value": 1}}
    filled, sending, paused, stopped = [(await client.prepare(3, **slow)).id for _ in range(4)]
    for dispatch_id in (sending, paused, stopped):
        await client.start(dispatch_id)
    done = await client.create()
    await client.start(done)
    await client.ask_ok("POST", f"/api/penstock/v1/dispatch/{paused}/pause")
    await client.ask_ok("POST", f"/api/v1/dispatch/{stopped}/stop")
    lines = await client.lines(sending)
    return [filled, sending, paused, stopped, done], [line["messageUuid"] for line in lines]


async def test_the_document_holds_under_any_request(tmp_path: Path) -> None:
    """No request is answered otherwise than the document says, none by a 500, and none without its key."""
    async with (
        running_smsc(tmp_path) as smsc,
        running_serve(tmp_path, smsc.port, senders=1) as serve,
    ):
        ids, uuids = await prepare(serve.client)
        settings = tmp_path / "schemathesis.toml"
        settings.write_text(
            SETTINGS.read_text(encoding="utf-8")
            + f"\n[dictionaries.dispatches]\nvalues = {ids}\n[dictionaries.messages]\nvalues = {json.dumps(uuids)}\n"
            '[parameters]\n"path.dispatch_id" = { dictionary = "dispatches", probability = 0.7 }\n'
            '"path.message_uuid" = { dictionary = "messages", probability = 0.7 }\n',
            encoding="utf-8",
        )
        key = serve.client._session.headers["Authorization"]
        process = await asyncio.create_subprocess_exec(
            SCHEMATHESIS, "--config-file", str(settings), "run", f"{serve.program.ready}/openapi.json",
            "--header", f"Authorization: {key}", "--checks", "all", "--exclude-checks", "positive_data_acceptance",
            "--max-examples", EXAMPLES, "--seed", SEED, "--no-color",
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output = (await process.communicate())[0].decode()
        faults = [line for line in serve.program.said.splitlines() if "level=error" in line]

    assert process.returncode == 0, output
    assert faults == []
    operations = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", output)
    assert operations is not None, output
    assert len({*operations.groups()}) == 1, output
