"""Read models of automation: the rules, and the trail of what they did."""

from shared.models import automation
from shared.models.read_model import Filter, Order
from shared.store.columns import plain

AUTOMATION_RULE = plain(
    "automation_rule", automation.AutomationRule, "What is done by itself when something is told.", leave_out=("since",),
    orders={"position": Order((("{t}.position", "integer", False), ("{t}.id", "id", False)))},
    filters={
        "event": Filter("text", "{t}.event = %s", "What sets it off."),
        "status": Filter("text", "{t}.status = %s", "active or paused."),
    },
)  # fmt: skip
AUTOMATION_RUN = plain(
    "automation_run", automation.AutomationRun, "What a rule did about an event.",
    filters={
        "rule": Filter("id", "{t}.rule_id = %s", "Its rule."),
        "conversation": Filter("id", "{t}.conversation_id = %s", "Its conversation."),
        "outcome": Filter("text", "{t}.outcome = %s", "What became of it.", choices=("done", "failed", "looped")),
    },
)  # fmt: skip
