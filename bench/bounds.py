"""The aims that a benchmark is held to: what was missed is said at the end, and is the script's exit code."""
import sys

missed = []


def bound(what, held):
    if not held:
        missed.append(what)


def end():
    for what in missed:
        print(f"missed: {what}")
    sys.exit(bool(missed))
