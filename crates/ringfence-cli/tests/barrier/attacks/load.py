"""Connections to a server that sends everything back: `row HOST PORT COUNT`, `crowd HOST PORT COUNT ROUNDS`, `half HOST PORT BYTES`."""
import errno
import os
import random
import selectors
import socket
import struct
import sys
import threading
import time


def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.01)


def ask(host, port, text):
    with socket.create_connection((host, int(port)), 10) as peer:
        peer.sendall(text)
        assert peer.recv(100, socket.MSG_WAITALL if len(text) == 100 else 0)


def row(host, port, count):
    """One connection, then many, one after the other; each phase is a file."""
    ask(host, port, b"first")
    open("first", "w").close()
    wait_for("go")
    for _ in range(int(count)):
        ask(host, port, b"again")
    open("last", "w").close()
    wait_for("end")


def crowd(host, port, count, rounds):
    """All at once; in each round, each sends and wants the same back."""
    peers = [socket.create_connection((host, int(port)), 20) for _ in range(int(count))]
    lost = 0
    for _ in range(int(rounds)):
        chosen = selectors.DefaultSelector()
        expected = {}
        for peer in peers:
            text = random.randbytes(1024)
            peer.sendall(text)
            expected[peer] = text
            chosen.register(peer, selectors.EVENT_READ, bytearray())
        end = time.monotonic() + 20
        while expected and time.monotonic() < end:
            for key, _ in chosen.select(1):
                text = key.fileobj.recv(4096)
                key.data.extend(text)
                if not text or len(key.data) >= 1024:
                    lost += bytes(key.data) != expected.pop(key.fileobj)
                    chosen.unregister(key.fileobj)
        lost += len(expected)
    print("lost", lost)
    sys.exit(lost != 0)


def half(host, port, length):
    """Sends everything, closes its half, and reads to the end."""
    peer = socket.create_connection((host, int(port)), 10)

    def send():
        peer.sendall(bytes(int(length)))
        peer.shutdown(socket.SHUT_WR)

    threading.Thread(target=send).start()
    back = 0
    while text := peer.recv(1 << 16):
        back += len(text)
    print("back", back)


def resetting(host, port):
    """Resets every connection as soon as something has come."""
    listener = socket.create_server((host, int(port)))
    while True:
        peer, _ = listener.accept()
        peer.recv(100)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()


def reset(host, port):
    """What a connection ends with that is reset."""
    peer = socket.create_connection((host, int(port)), 10)
    peer.sendall(b"x")
    try:
        print("end", peer.recv(100))
    except OSError as error:
        print(errno.errorcode[error.errno])


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
