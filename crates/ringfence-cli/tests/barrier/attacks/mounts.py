"""Every way to change what is mounted, and to get the right to: prints `done NAME` for each that works.

`mounts.py GUARDED SECRET`: the first is written and the second read through whatever could be made.
"""
import ctypes
import os
import platform
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
LEGACY = {"x86_64": {"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272}}.get(
    platform.machine(), {"mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "setns": 268, "unshare": 97}
)
OPEN_TREE, MOVE_MOUNT, FSOPEN, FSCONFIG, FSMOUNT, MOUNT_SETATTR = 428, 429, 430, 431, 432, 442
HERE, NEW_USER, NEW_MOUNTS = -100, 0x10000000, 0x20000
CLONE, RECURSIVE, EMPTY_PATH, EMPTY_PATH_AT = 1, 0x8000, 4, 0x1000
REMOUNT, BIND, PRIVATE, DETACH = 32, 4096, 1 << 18, 2


def call(name, number, *words):
    # A number is as wide as a register, or its upper half is left to chance.
    wide = lambda word: ctypes.c_long(word) if isinstance(word, int) else word
    words = [word.encode() if isinstance(word, str) else wide(word) for word in words]
    result = libc.syscall(wide(number), *words)
    if result >= 0:
        print("done", name)
    return result


def through(name, folder, path):
    """Whether a folder that hangs nowhere shows or lets write what is guarded."""
    if folder < 0:
        return
    libc.syscall(ctypes.c_long(MOUNT_SETATTR), folder, b"", ctypes.c_long(EMPTY_PATH_AT | RECURSIVE), struct.pack("QQQQ", 0, 1, 0, 0), ctypes.c_long(32))
    below = os.path.relpath(os.getcwd(), path)
    for file, mode in ((guarded, os.O_WRONLY), (secret, os.O_RDONLY)):
        try:
            os.close(os.open(os.path.join(below, file), mode, dir_fd=folder))
            print("done", name, "of", path, "shows" if mode == os.O_RDONLY else "writes", file)
        except OSError:
            pass


def overlay(path):
    """A file system over a folder, which holds that folder without what is mounted in it."""
    made = libc.syscall(ctypes.c_long(FSOPEN), b"overlay", ctypes.c_long(0))
    for folder in ("/tmp/upper", "/tmp/work"):
        os.makedirs(folder, exist_ok=True)
    for key, value in (("lowerdir", path), ("upperdir", "/tmp/upper"), ("workdir", "/tmp/work"), ("userxattr", None)):
        kind = 0 if value is None else 1
        libc.syscall(ctypes.c_long(FSCONFIG), made, ctypes.c_long(kind), key.encode(), value and value.encode(), ctypes.c_long(0))
    if made < 0 or libc.syscall(ctypes.c_long(FSCONFIG), made, ctypes.c_long(6), None, None, ctypes.c_long(0)) < 0:
        return -1
    return libc.syscall(ctypes.c_long(FSMOUNT), made, ctypes.c_long(0), ctypes.c_long(0))


def attempts(guarded):
    """Each leaves something that shows what it did, or undoes it."""
    legacy = lambda name, *words: call(name, LEGACY[name], *words)
    legacy("mount", "x", "/mnt", "tmpfs", 0, 0)
    legacy("umount2", "/mnt", DETACH)
    call("bind", LEGACY["mount"], ".", "/mnt", 0, BIND, 0)
    call("remount", LEGACY["mount"], "x", guarded, 0, BIND | REMOUNT, 0)
    call("writable", MOUNT_SETATTR, HERE, guarded, 0, struct.pack("QQQQ", 0, 1, 0, 0), 32)
    call("private", LEGACY["mount"], "x", "/", 0, PRIVATE, 0)
    for path in (os.getcwd(), os.path.dirname(os.getcwd()), "/"):
        for flags in (CLONE, CLONE | RECURSIVE):
            through("a tree", libc.syscall(*map(ctypes.c_long, (OPEN_TREE, HERE)), path.encode(), ctypes.c_long(flags)), path)
        through("an overlay", overlay(path), path)
    tree = libc.syscall(ctypes.c_long(OPEN_TREE), ctypes.c_long(HERE), b"/", ctypes.c_long(CLONE | RECURSIVE))
    if tree >= 0:
        call("move_mount", MOVE_MOUNT, tree, "", HERE, "/mnt", EMPTY_PATH)
    call("proc", LEGACY["mount"], "proc", "/mnt", "proc", 0, 0)
    legacy("pivot_root", ".", ".")
    for kind in ("mnt", "net", "pid", "user"):
        for process in ("1", str(os.getppid())):
            try:
                other = os.open(f"/proc/{process}/ns/{kind}", os.O_RDONLY)
            except OSError:
                continue
            if os.stat(other).st_ino != os.stat(f"/proc/self/ns/{kind}").st_ino:
                call("setns", LEGACY["setns"], other, 0)


guarded, secret = sys.argv[1:]
# Where it is now: a call that works leads elsewhere, and what is not there must not be made there.
places = (os.path.abspath(guarded), "/mnt/" + guarded)
attempts(guarded)
# Once more with every right there is in namespaces of its own.
if libc.syscall(LEGACY["unshare"], NEW_USER) == 0:
    attempts(guarded)
    if libc.syscall(LEGACY["unshare"], NEW_MOUNTS) == 0:
        attempts(guarded)
for path in places:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
        print("done write", path)
    except OSError:
        pass
print("tried")
