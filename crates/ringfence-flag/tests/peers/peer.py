import json, logging, sys
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

logging.disable(logging.CRITICAL)
question = json.load(sys.stdin)
core = FlagdCore()
core.set_flags(question["flags"])


def answer(key, caller):
    attributes = dict(caller)
    context = EvaluationContext(attributes.pop("targetingKey"), attributes)
    try:
        found = core.resolve_string_value(key, "default", context)
        return f"{found.variant or ''} {found.reason}"
    except Exception:
        return "ERROR"


json.dump([[answer(key, caller) for key in question["keys"]] for caller in question["callers"]], sys.stdout)
