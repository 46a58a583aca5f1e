"""
The metrics page.
"""

from penstock.domain.lifecycle import SubmissionOutcome
from penstock.engine.metrics import Metrics
from tests.harness.stage import Stage


async def test_figures_follow_the_tables(stage: Stage) -> None:
    """The page tells what is being sent and held, and that nothing was late."""
    await stage.begin(10)
    async with stage.sender() as sender:
        await sender.claim(4)
        page = (await Metrics(stage.database).read()).decode()
        sender.answer(sender.write(4), SubmissionOutcome.ACCEPTED)
        await sender.record()
        later = (await Metrics(stage.database).read()).decode()

    assert 'penstock_dispatches{status="sending"} 1.0' in page
    assert "penstock_claimed_messages 4.0" in page
    assert "penstock_senders 1.0" in page
    assert "penstock_late_messages 0.0" in page
    assert "penstock_claimed_messages 0.0" in later
