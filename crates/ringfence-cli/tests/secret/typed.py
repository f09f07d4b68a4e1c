"""Runs a program on a terminal of its own: waits for a text, then types keys, and so on; prints what the terminal showed."""
import os, pty, select, signal, sys, time

words = sys.argv[1:]
split = words.index("--")
pairs, command = words[:split], words[split + 1:]
steps = [(pairs[i], pairs[i + 1].encode().decode("unicode_escape").encode("latin-1")) for i in range(0, len(pairs), 2)]
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
shown, seen, deadline = b"", 0, time.time() + 60
while time.time() < deadline:
    if select.select([terminal], [], [], 0.05)[0]:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    if steps and steps[0][0].encode() in shown[seen:]:
        seen = len(shown)
        time.sleep(0.05)
        os.write(terminal, steps.pop(0)[1])
else:
    os.kill(child, signal.SIGKILL)
_, status = os.waitpid(child, 0)
sys.stdout.buffer.write(shown)
sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
