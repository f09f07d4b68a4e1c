"""Files by raw system calls: `umount PATH FLAGS`, `handle PATH`, `by-handle HEX TYPE`, `reader PATH SECONDS WORD`."""
import ctypes
import errno
import os
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100


def checked(result):
    if result < 0:
        print(errno.errorcode[ctypes.get_errno()])
        sys.exit(1)
    return result


def umount(path, flags):
    checked(libc.umount2(path.encode(), int(flags)))
    print("done")


class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("content", ctypes.c_ubyte * 128)]


def handle(path):
    found, mount = Handle(bytes=128), ctypes.c_int()
    checked(libc.name_to_handle_at(AT_FDCWD, path.encode(), ctypes.byref(found), ctypes.byref(mount), 0))
    print(bytes(found.content[: found.bytes]).hex(), found.type)


def by_handle(content, kind):
    raw = bytes.fromhex(content)
    known = Handle(len(raw), int(kind), (ctypes.c_ubyte * 128)(*raw))
    folder = os.open(".", os.O_RDONLY)
    print(os.read(checked(libc.open_by_handle_at(folder, ctypes.byref(known), os.O_RDONLY)), 4096).decode())


def reader(path, seconds, word):
    """Opens a path as often as possible: how often that showed the word, and what the last two attempts gave."""
    hits = attempts = 0
    last = []
    open("reading", "w").close()
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        attempts += 1
        try:
            with open(path) as file:
                shown = word in file.read()
            hits += shown
            last = [*last[-1:], "shown" if shown else "empty"]
        except OSError as error:
            last = [*last[-1:], "denied" if error.errno == errno.EACCES else errno.errorcode[error.errno]]
    print(f"hits {hits}\nlast {last[-1]}\nshare {hits / attempts}\nattempts {attempts}")


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
