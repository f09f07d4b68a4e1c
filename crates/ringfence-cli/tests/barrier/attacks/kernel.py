"""Raw system calls: each word is one; prints `done` or the name of the error."""
import ctypes
import errno
import mmap
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
X32 = 0x40000000
FAMILIES = {"AF_ALG": 38, "AF_BLUETOOTH": 31, "AF_RDS": 21, "AF_TIPC": 30, "AF_VSOCK": 40, "AF_XDP": 44}


def checked(result, word="done"):
    if result < 0:
        print(errno.errorcode[ctypes.get_errno()])
        sys.exit(1)
    print(word, result)


def family(name):
    return FAMILIES.get(name) or int(getattr(socket, name))


def make_socket(name):
    kind = {"AF_ALG": 5, "AF_PACKET": 3, "AF_NETLINK": 3, "AF_BLUETOOTH": 3, "AF_RDS": 5, "AF_XDP": 3}.get(name, 1)
    checked(libc.socket(family(name), kind, 0))


def raw():
    checked(libc.socket(2, 3, 1))


def ring():
    parameters = ctypes.create_string_buffer(120)
    checked(libc.syscall(425, 4, parameters))


def x32(name):
    checked(libc.syscall(X32 | 41, family(name), 1, 0))


def int80():
    """socket(AF_UNIX, SOCK_STREAM, 0) as a 32-bit program would ask for it."""
    code = bytes.fromhex("53 b8 67010000 bb 01000000 b9 01000000 ba 00000000 cd80 5b c3")
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    print("socket" if result >= 0 else errno.errorcode[-result], result)


def type_into(number):
    """Puts a character into the terminal's own input."""
    libc.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p]
    checked(libc.ioctl(0, int(number, 16), b"\n"), "typed")


if __name__ == "__main__":
    {"socket": make_socket, "raw": raw, "ring": ring, "x32": x32, "int80": int80, "type": type_into}[sys.argv[1]](
        *sys.argv[2:]
    )
