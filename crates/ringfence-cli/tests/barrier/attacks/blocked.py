"""Runs a command under a filter that answers as a container's does: `clone3` ENOSYS; namespaces and mounts EPERM."""
import ctypes
import os
import platform
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = {
    "x86_64": {"clone": 56, "unshare": 272, "setns": 308, "mount": 165, "umount2": 166, "pivot_root": 155},
    "aarch64": {"clone": 220, "unshare": 97, "setns": 268, "mount": 40, "umount2": 39, "pivot_root": 41},
}[platform.machine()]
CLONE3, NEW_NAMESPACES = 435, 0x7E020000
EPERM, ENOSYS = 1, 38
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000


def refuse(number, error):
    """If the call has this number, it ends with this error."""
    return [(EQUAL, 0, 1, number), (RETURN, 0, 0, ERROR | error)]


program = [(LOAD, 0, 0, 0), *refuse(CLONE3, ENOSYS)]
for name in ("unshare", "setns", "mount", "umount2", "pivot_root"):
    program += refuse(NUMBERS[name], EPERM)
program += [
    (EQUAL, 0, 3, NUMBERS["clone"]),
    (LOAD, 0, 0, 16),
    (ANY_BIT, 0, 1, NEW_NAMESPACES),
    (RETURN, 0, 0, ERROR | EPERM),
    (RETURN, 0, 0, ALLOW),
]
code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
buffer = ctypes.create_string_buffer(code, len(code))
head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer)))
if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, head, 0, 0) != 0:
    sys.exit("no filter")
os.execvp(sys.argv[1], sys.argv[1:])
