"""A ClientHello by hand: `tls.py NAME plain|ech`. Says whether a server answered it."""
import os
import socket
import sys


def block(width, content):
    return len(content).to_bytes(width, "big") + content


def extension(number, content):
    return number.to_bytes(2, "big") + block(2, content)


def hello(name, encrypted):
    key = os.urandom(32)
    extensions = [
        extension(0, block(2, b"\0" + block(2, name.encode()))),
        extension(10, block(2, bytes.fromhex("001d"))),
        extension(13, block(2, bytes.fromhex("0403080408070805"))),
        extension(43, block(1, bytes.fromhex("0304"))),
        extension(51, block(2, bytes.fromhex("001d") + block(2, key))),
    ]
    if encrypted:
        # Outer, HKDF-SHA256 with AES-128-GCM, configuration 7, an encapsulated key, a payload.
        inner = bytes.fromhex("000001000107") + block(2, os.urandom(32)) + block(2, os.urandom(144))
        extensions.append(extension(0xFE0D, inner))
    body = bytes.fromhex("0303") + os.urandom(32) + block(1, os.urandom(32))
    body += block(2, bytes.fromhex("130113021303")) + block(1, b"\0") + block(2, b"".join(extensions))
    return bytes.fromhex("160301") + block(2, b"\1" + block(3, body))


peer = socket.create_connection((sys.argv[1], 443), 5)
try:
    peer.sendall(hello(sys.argv[1], sys.argv[2] == "ech"))
    first = peer.recv(1)
except ConnectionResetError:
    first = None
print({None: "reset", b"": "closed", b"\x16": "answered"}.get(first, first))
sys.exit(first != b"\x16")
