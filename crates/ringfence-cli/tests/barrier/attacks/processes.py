"""Other processes by raw system calls: `attach`, `memory`, `descriptor`, `pidfd` and `limits` take a process id."""
import ctypes
import errno
import os
import random
import resource
import signal
import socket
import stat
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PIDFD_GETFD = 0x4206, 438


def checked(result):
    if result < 0:
        print(errno.errorcode[ctypes.get_errno()])
        sys.exit(1)
    print("done")
    return result


def attach(process):
    checked(libc.ptrace(PTRACE_SEIZE, int(process), None, None))


def memory(process):
    try:
        os.close(os.open(f"/proc/{process}/mem", os.O_RDWR))
        print("done")
    except OSError as error:
        print(errno.errorcode[error.errno])
        sys.exit(1)


def pidfd(process):
    try:
        signal.pidfd_send_signal(os.pidfd_open(int(process)), 0)
        print("done")
    except OSError as error:
        print(errno.errorcode[error.errno])
        sys.exit(1)


def descriptor(process):
    """Takes a descriptor out of another process."""
    checked(libc.syscall(PIDFD_GETFD, os.pidfd_open(int(process)), 3, 0))


def limits(process):
    """Takes away what another process needs to open anything."""
    checked(libc.prlimit(int(process), resource.RLIMIT_NOFILE, struct.pack("QQ", 3, 3), None))


def bomb(generations):
    """Processes that make others and end, as many as there may be, and more when the program has ended."""
    for _ in range(20):
        if os.fork() == 0:
            for _ in range(int(generations)):
                if os.fork():
                    os._exit(0)
                time.sleep(0.001)
            time.sleep(7743)
    print("ends")


def sockets():
    """Writes noise to every socket that is there, and to every unix socket that the system lists."""
    found = 0
    for number in range(4096):
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
        except OSError:
            continue
        found += 1
        try:
            os.write(number, random.randbytes(256))
            print("wrote", number)
        except OSError as error:
            print(number, errno.errorcode[error.errno])
    print("descriptors", found)
    reached = 0
    for line in open("/proc/net/unix").readlines()[1:]:
        name = line.split()[7:]
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
                socket.socket(socket.AF_UNIX, kind).connect(name[0].replace("@", "\0", 1))
                reached += 1
        except (OSError, IndexError):
            continue
    print("unix", reached)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
