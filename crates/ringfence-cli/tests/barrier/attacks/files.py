"""Files by raw system calls: `umount PATH FLAGS`, `handle PATH`, `by-handle HEX TYPE`, `reader PATH WORD PATIENCE`."""
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


def attempt(path, word):
    """What one attempt to open the path gives."""
    try:
        with open(path) as file:
            return "shown" if word in file.read() else "empty"
    except OSError as error:
        return "denied" if error.errno == errno.EACCES else errno.errorcode[error.errno]


def reader(path, word, patience):
    """Opens a path as often as possible until there is a file `enough`: how often that showed the word, and what it gave in the end,
    after as many seconds as it is waited for the last replacement to be answered."""
    hits = attempts = 0
    open("reading", "w").close()
    while not os.path.exists("enough"):
        attempts += 1
        hits += attempt(path, word) == "shown"
    end = time.monotonic() + float(patience)
    while (last := attempt(path, word)) == "shown" and time.monotonic() < end:
        time.sleep(0.01)
    print(f"hits {hits}\nlast {last}\nshare {hits / max(attempts, 1)}\nattempts {attempts}")


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
