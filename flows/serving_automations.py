"""Prefect automations of a site: runs whose heartbeats stop are marked Crashed, and people are told how runs ended."""

from collections.abc import Sequence
from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from pydantic import SecretStr

ZOMBIES, NOTIFY = "ai4s-zombies", "ai4s-notify"
# A chat takes {"text": ...}; the link leads to the run's page.
MESSAGE = '{"text": "{{ flow_run.name }}: {{ flow_run.state.name }} {{ flow_run|ui_url }}"}'
# Two heartbeats and a half (PREFECT_FLOWS_HEARTBEAT_FREQUENCY is 30 s).
SILENT_S = 75
RUN = "prefect.flow-run."
GOES_ON_OR_ENDS = ("heartbeat", "Completed", "Failed", "Cancelled", "Crashed", "Paused")


def mark_zombies() -> None:
    """Make the automation unless it is there."""
    with get_client(sync_client=True) as client:
        if client.read_automations_by_name(ZOMBIES):
            return
    Automation(
        name=ZOMBIES,
        description="Runs without a heartbeat are marked Crashed.",
        trigger=EventTrigger(
            after={RUN + "heartbeat"},
            expect={RUN + name for name in GOES_ON_OR_ENDS},
            match={"prefect.resource.id": [RUN + "*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=SILENT_S),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=f"No heartbeat for {SILENT_S} s")],
    ).create()


def notify(url: str, states: Sequence[str] = ("Failed", "Crashed")) -> None:
    """Tell the webhook of a chat or a mail gateway of every run that comes to one of these states.

    The address is kept on the server as a secret of a block; the same as on the page under Blocks and Automations.
    """
    hook = Webhook(method="POST", url=SecretStr(url))
    block = hook.save("ai4s-notify", overwrite=True)
    with get_client(sync_client=True) as client:
        for known in client.read_automations_by_name(NOTIFY):
            client.delete_automation(known.id)
    Automation(
        name=NOTIFY,
        description=f"Tells of runs that are {', '.join(states)}.",
        trigger=EventTrigger(
            expect={RUN + state for state in states},
            match={"prefect.resource.id": [RUN + "*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[CallWebhook(block_document_id=block, payload=MESSAGE)],
    ).create()
