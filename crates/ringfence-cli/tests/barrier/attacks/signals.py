"""Counts the signals that arrive: `count` writes each one's name to `counted`, waits for more, and ends with 7."""
import signal
import sys
import time

COUNTED = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH]
seen = []

for one in COUNTED:
    signal.signal(one, lambda number, _: seen.append(signal.Signals(number).name))
open("ready", "w").close()
end = time.monotonic() + 20
while not seen and time.monotonic() < end:
    time.sleep(0.02)
# Long enough for a second one to be seen.
time.sleep(0.6)
with open("counted", "w") as file:
    file.writelines(name + "\n" for name in seen)
sys.exit(7)
