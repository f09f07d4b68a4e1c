"""Sockets of every kind: each word is an attack, an `errno` name or what came back is the answer."""
import ctypes
import errno
import mmap
import os
import socket
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)


def answer(action):
    """Prints what an action gave, or the name of its error, and ends accordingly."""
    try:
        print(action() or "done")
    except OSError as error:
        print(errno.errorcode.get(error.errno, error), error.strerror)
        sys.exit(1)


def udp(host, port):
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.settimeout(0.5)
    peer.sendto(b"x", (host, int(port)))
    return peer.recv(100).decode()


def unix(path):
    """Connects to a path, or to an abstract name that begins with @."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(2)
    peer.connect("\0" + path[1:] if path.startswith("@") else path)
    peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
    return peer.recv(4096).decode()


def received(path):
    """Connects, and reads what comes with a descriptor, where one comes."""
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(5)
    peer.connect(path)
    text, descriptors, _, _ = socket.recv_fds(peer, 100, 4)
    return text.decode() + (os.read(descriptors[0], 4096).decode() if descriptors else " alone")


def handing_out(path, secret):
    """Gives everybody an open file with the answer."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o777)
    listener.listen()
    while True:
        peer, _ = listener.accept()
        with open(secret) as file:
            socket.send_fds(peer, [b"answer"], [file.fileno()])
        peer.close()


def mapped(host, port):
    """By an IPv6 socket, to an IPv4 address in one."""
    peer = socket.socket(socket.AF_INET6)
    peer.settimeout(2)
    peer.connect(("::ffff:" + host, int(port)))
    peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
    return peer.recv(4096).decode()


def redirecting(host, port, to):
    """Sends whoever comes somewhere else."""
    listener = socket.create_server((host, int(port)))
    while True:
        peer, _ = listener.accept()
        peer.recv(4096)
        peer.sendall(f"HTTP/1.0 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())
        peer.close()


def flood(count):
    """Addresses and names that are nobody's, one after the other."""
    for number in range(int(count)):
        peer = socket.socket()
        peer.settimeout(0.1)
        peer.connect_ex((f"198.18.{number >> 8}.{number & 255}", 80))
        peer.close()
    for number in range(int(count) // 4):
        try:
            socket.getaddrinfo(f"host{number}.example", 80)
        except OSError:
            pass
    return "flooded"


def held(answerer, count, host, port):
    """Holds as many connections to the answerer as it can, and then asks an endpoint."""
    peers = []
    for _ in range(int(count)):
        peer = socket.socket()
        peer.setblocking(False)
        peer.connect_ex((answerer, 53))
        peers.append(peer)
    time.sleep(0.5)
    peer = socket.create_connection((host, int(port)), 5)
    peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
    return peer.recv(4096).decode()


def fast_open(host, port):
    """A connection without connect()."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, (2).to_bytes(8, "little") + bytes(8))
    peer.sendto(b"GET / HTTP/1.0\r\n\r\n", 0x20000000, (host, int(port)))
    return peer.recv(4096).decode()


def inet(host, port):
    return b"".join([
        int(socket.AF_INET).to_bytes(2, "little"),
        int(port).to_bytes(2, "big"),
        socket.inet_aton(host),
        bytes(8),
    ])


def reconnect(own_host, own_port, host, port):
    """An allowed connection, dissolved by AF_UNSPEC, then made again to somewhere else."""
    peer = socket.socket()
    peer.settimeout(2)
    peer.connect((own_host, int(own_port)))
    number = peer.fileno()
    nowhere = bytes(16)
    if libc.connect(number, nowhere, 16) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    peer.connect((host, int(port)))
    peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
    return peer.recv(4096).decode()


def race(own_host, own_port, host, port, seconds):
    """The address changes while the kernel's answer is waited for."""
    own, other = inet(own_host, own_port), inet(host, port)
    local = int(socket.AF_UNIX).to_bytes(2, "little") + other[2:]
    # Memory of two processes: threads would take turns.
    page = mmap.mmap(-1, 4096)
    shared = (ctypes.c_char * 16).from_buffer(page)
    shared.raw = own
    end = time.monotonic() + float(seconds)
    if os.fork() == 0:
        while time.monotonic() < end:
            for value in (other, own, local):
                shared.raw = value
        os._exit(0)
    reached = 0
    while time.monotonic() < end:
        peer = socket.socket()
        if libc.connect(peer.fileno(), shared, 16) == 0:
            reached += peer.getpeername() == (host, int(port))
        peer.close()
    os.wait()
    print("reached", reached)
    sys.exit(1 if reached == 0 else 0)


if __name__ == "__main__":
    words = sys.argv[2:]
    answer(lambda: globals()[sys.argv[1]](*words))
