"""A program whose log level is a flag: it asks now and then, and logs as the answer says."""

import logging
import os
import sys
import time

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider

token = os.environ["OPENAI_API_KEY"]
base = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
api.set_provider(OFREPProvider(base, headers_factory=lambda: {"Authorization": f"Bearer {token}"}))
client = api.get_client()
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
log = logging.getLogger("program")
for turn in range(600):
    level = client.get_string_value("log_level", "error")
    if logging.getLevelName(level.upper()) != log.level:
        log.setLevel(level.upper())
        print("fine", level)
        log.debug("asked for %s", level)
        log.warning("asked for %s", level)
        print("logged", flush=True)
        if level == "warning":
            break
    time.sleep(0.05)
