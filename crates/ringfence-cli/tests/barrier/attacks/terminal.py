"""A terminal for a command: `run COMMAND…` shows what it shows and ends as it ends.

`keys SECONDS:TEXT … -- COMMAND…` also types: each text so many seconds after the one before; `^C`, `^Z`, `^[` are those keys.
The command is a session's leader and the terminal its own, as in a window; the last line is `ended CODE` or `ended -SIGNAL`.
"""
import os
import pty
import select
import sys
import time

KEYS = {"^[": b"\x1b", "^C": b"\x03", "^Z": b"\x1a", "^D": b"\x04", "^\\": b"\x1c"}


def run(command, typed):
    process, master = pty.fork()
    if process == 0:
        os.execvp(command[0], command)
    due = time.monotonic()
    moments = []
    for seconds, text in typed:
        due += seconds
        moments.append((due, KEYS.get(text, text.encode().replace(b"\\n", b"\n"))))
    end = time.monotonic() + 40
    while time.monotonic() < end:
        wait = max(0, moments[0][0] - time.monotonic()) if moments else 1
        if select.select([master], [], [], min(wait, 1))[0]:
            try:
                shown = os.read(master, 4096)
            except OSError:
                break
            os.write(1, shown.replace(b"\r\n", b"\n"))
        if moments and moments[0][0] <= time.monotonic():
            os.write(master, moments.pop(0)[1])
    else:
        os.kill(process, 9)
        os.write(1, b"\nhung")
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    os.write(1, f"\nended {code}\n".encode())
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    words = sys.argv[2:]
    typed = []
    if sys.argv[1] == "keys":
        border = words.index("--")
        typed = [(float(word.split(":", 1)[0]), word.split(":", 1)[1]) for word in words[:border]]
        words = words[border + 1:]
    run(words, typed)
