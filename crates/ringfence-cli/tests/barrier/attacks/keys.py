"""Kernel keyrings (`hold COMMAND…`, `search`) and System V shared memory (`make-segment`, `read-segment`)."""
import ctypes
import errno
import os
import platform
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
SECRET = "PROD-" + "ORCHID-7731"
ADD_KEY, KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}[platform.machine()]
JOIN_SESSION, SEARCH, READ, SESSION = 1, 10, 11, -3
SEGMENT = 0x7731


def checked(result):
    if result is None or result < 0 or result == 2**64 - 1:
        print(errno.errorcode[ctypes.get_errno()])
        sys.exit(1)
    return result


def hold(*command):
    """A session keyring with a key in it, for a command."""
    checked(libc.syscall(KEYCTL, JOIN_SESSION, None))
    checked(libc.syscall(ADD_KEY, b"user", b"k", SECRET.encode(), len(SECRET), SESSION))
    os.execvp(command[0], command)


def search():
    key = checked(libc.syscall(KEYCTL, SEARCH, SESSION, b"user", b"k", 0))
    shown = ctypes.create_string_buffer(100)
    checked(libc.syscall(KEYCTL, READ, key, shown, 100))
    print(shown.value.decode())


def make_segment():
    number = checked(libc.shmget(SEGMENT, 4096, 0o1666))
    ctypes.memmove(checked(libc.shmat(number, None, 0)), SECRET.encode(), len(SECRET))


def read_segment():
    number = checked(libc.shmget(SEGMENT, 4096, 0o444))
    print(ctypes.string_at(checked(libc.shmat(number, None, 0o10000))).decode())


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
