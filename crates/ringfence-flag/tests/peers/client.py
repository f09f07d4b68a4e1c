import json, sys
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

api.set_provider(OFREPProvider(sys.argv[1]))
client = api.get_client()


def details(ask, key, default, plan=None):
    claims = {"environment": "dev", "plan": plan} if plan else {}
    found = ask(key, default, EvaluationContext("ana", claims))
    return [found.value, found.variant, found.reason, found.error_code]


text = client.get_string_details
answers = {
    "truth": details(client.get_boolean_details, "truth", False),
    "whole": details(client.get_integer_details, "whole", 1),
    "float": details(client.get_float_details, "float", 1.0),
    "object": details(client.get_object_details, "object", {}),
    **{key: details(text, key, "default") for key in ["a/b c", "off", "none", "broken", "gone"]},
    "plan free": details(text, "plan", "default", "free"),
    "plan pro": details(text, "plan", "default", "pro"),
}
json.dump(answers, sys.stdout)
