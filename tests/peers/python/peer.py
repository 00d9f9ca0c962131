"""python3-websockets as a WebSocket peer.

peer.py serve              echoes on a free loopback port, printed as "listening PORT"
peer.py connect            reads URLs, one a line, from standard input; connects to each and echoes
peer.py talk URL N BYTES   sends N binary messages one after the other's echo, checks each, prints "talked N"

--tls CERT KEY             (serve) serves wss://
--ca FILE                  (connect, talk) trusts this certificate for wss://
permessage-deflate is offered and accepted; no size limits and no keepalive: what is under test is the other side.
"""
import argparse
import asyncio
import logging
import signal
import ssl
import sys

import websockets

OPTIONS = dict(ping_interval=None, max_size=None, max_queue=None, close_timeout=5)


async def echo(socket, path=None):
    try:
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosed:
        pass


async def serve(tls):
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    async with websockets.serve(echo, "127.0.0.1", 0, ssl=context, **OPTIONS) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


async def one(url, context):
    try:
        async with websockets.connect(url, ssl=context, **OPTIONS) as socket:
            await echo(socket)
    except Exception as error:  # a peer that fails a connection is what some cases are about
        print(f"{url}: {error!r}", file=sys.stderr, flush=True)


async def connect(context):
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)
    tasks = set()
    while line := await reader.readline():
        url = line.decode().strip()
        task = asyncio.create_task(one(url, context if url.startswith("wss") else None))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def talk(url, count, size, context):
    async with websockets.connect(url, ssl=context if url.startswith("wss") else None, **OPTIONS) as socket:
        for i in range(count):
            message = bytes((i * 131 + at * 7) >> 3 & 0xFF for at in range(size))
            await socket.send(message)
            if await socket.recv() != message:
                sys.exit(f"message {i} came back changed")
    print("talked", count, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["serve", "connect", "talk"])
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--ca")
    options = parser.parse_args()
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    context = ssl.create_default_context(cafile=options.ca) if options.ca else None
    if options.mode == "serve":
        asyncio.run(serve(options.tls))
    elif options.mode == "connect":
        asyncio.run(connect(context))
    else:
        url, count, size = options.rest
        asyncio.run(talk(url, int(count), int(size), context))


main()
