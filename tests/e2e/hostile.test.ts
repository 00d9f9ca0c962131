// Hostile input over the wire: each is answered as documented, memory stays bounded, and another session does not
// notice.
import assert from 'node:assert/strict';
import {readdirSync} from 'node:fs';
import {once} from 'node:events';
import {connect, type Socket} from 'node:net';
import {before, beforeEach, afterEach, describe, it} from 'node:test';
import {createServer} from 'node:http';
import {acceptEndpoint, connectEndpoint, type Endpoint, listenRaw, open, readHead} from '../lib/endpoint.js';
import {encode} from '../lib/frame.js';
import type {Proxy} from '../lib/proxy.js';
import {eventually, Lateness, pause, pool} from '../lib/wait.js';
import {freePorts, type Process} from '../lib/process.js';
import {cleanup, listening, metrics, program, proxy} from './support.js';

const mb = 1e6;
let one: Proxy, bystander: Process;
let hasty: number; // a port where a request head has a second

before(async () => {
  const upstream = `ws://127.0.0.1:${await listening(program('ws_peer', 'serve', '--no-deflate'))}`;
  [hasty] = (await freePorts(1)) as [number];
  one = await proxy({
    routes: [
      {name: 'usual', upstream, limits: {handshake_timeout: '1m', control_rate: 100, buffered: '1MiB'}},
      {name: 'hasty', upstream, listen: `127.0.0.1:${hasty}`, limits: {handshake_timeout: '1s'}},
    ],
    threads: 2,
  });
  // Both of its ends are processes of their own: what it waits for is the proxy, not this test.
  bystander = program('bystander', `ws://127.0.0.1:${one.port}/bystander`);
  await bystander.saw(/^connected$/m);
});

let late: Lateness;
let question = 0,
  resident = 0;
async function worst(): Promise<number> {
  bystander.line(String(++question));
  return Number((await bystander.saw(new RegExp(`^worst ${question} (\\d+)$`, 'm')))[1]);
}
beforeEach(async () => {
  await worst();
  late = new Lateness();
  resident = one.process.rss();
});
// What every test here ends with: the other session was served all the while, and the proxy holds nothing more than
// before.
afterEach(async () => {
  const waited = await worst();
  assert.ok(waited < 2000 + late.stop(), `the bystander waited ${waited} ms`);
  await eventually(
    'only the bystander is left',
    async () => (await metrics(one)).sum('websocket_connections_active') === 1,
    15_000,
  );
  const grown = one.process.rss() - resident;
  assert.ok(grown < 48 * mb, `resident memory grew by ${(grown / mb).toFixed(1)} MB`);
  assert.ok(!one.process.exited && !bystander.exited);
});

const anomalies = async (kind: string): Promise<number> =>
  (await metrics(one)).sum('websocket_anomalies_total', {kind});
// Connects and swallows errors; what the other side does is what is looked at.
async function raw(port = one.port): Promise<Socket> {
  const socket = await open({port});
  socket.resume();
  cleanup(() => socket.destroy());
  return socket;
}
const ended = (socket: Socket): Promise<unknown> =>
  socket.closed || socket.readableEnded
    ? Promise.resolve()
    : Promise.race([once(socket, 'end'), once(socket, 'close')]);

describe('before the handshake', () => {
  it('300 slow-loris handshakes: each 408, however they dribble', async () => {
    const count = await anomalies('handshake_timeout');
    let answers = 0;
    await Promise.all(
      Array.from({length: 300}, async () => {
        const socket = await raw(hasty);
        let got = '';
        socket.on('data', (part: Buffer) => (got += part.toString()));
        const text = 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ';
        let at = 0;
        const timer = setInterval(() => socket.writable && socket.write(at < text.length ? text[at++]! : 'x'), 50);
        await ended(socket);
        clearInterval(timer);
        if (/^HTTP\/1\.1 408 /.test(got)) ++answers;
      }),
    );
    assert.equal(answers, 300);
    assert.equal(await anomalies('handshake_timeout'), count + 300);
  });

  // Sends a head that never ends; gives what it is answered with.
  async function flood(line: string): Promise<string> {
    const socket = await raw();
    let got = '';
    socket.on('data', (part: Buffer) => (got += part.toString()));
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n');
    for (let n = 0; n < 5000 && socket.writable && !got; ++n)
      if (!socket.write(line)) await Promise.race([once(socket, 'drain').catch(() => undefined), ended(socket)]);
    await ended(socket);
    return got;
  }
  it('header floods: 431 after the limit, not after the flood', async () => {
    const count = await anomalies('header_too_large');
    await pool(
      20,
      Array.from({length: 60}, (_, i) => async () => {
        const got = await flood(i % 2 ? `X: ${'y'.repeat(8000)}` : 'X: y\r\n');
        assert.match(got, /^HTTP\/1\.1 431 /);
      }),
    );
    assert.equal(await anomalies('header_too_large'), count + 60);
  });

  it('smuggled requests never reach the backend', async () => {
    const seen: string[] = [];
    const plain = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      request.resume();
      response.end('ok');
    });
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    cleanup(() => {
      plain.closeAllConnections();
      plain.close();
    });
    const relay = await proxy({routes: [{upstream: `ws://127.0.0.1:${(plain.address() as {port: number}).port}`}]});
    const hidden = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
    const shapes = [
      `POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: ${hidden.length + 5}\r\n` +
        `Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n` +
        `Content-Length: 5\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
      `POST /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /f HTTP/1.1\r\nHost: a\r\nX: a\r\n Transfer-Encoding: chunked\r\n` +
        `Content-Length: 5\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /g HTTP/1.1\r\nHost: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /h HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`,
      `POST /i HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n${hidden}`,
      `POST /j HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\n${hidden}`,
      `POST /k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;\nx\r\nZ\r\n0\r\n\r\n${hidden}`,
      `GET /l HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
      `GET /m HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n${hidden}`,
      `GET /n HTTP/1.1\r\nHost: a\r\nX: a\rContent-Length: 0\r\n\r\n${hidden}`,
    ];
    for (const shape of shapes) {
      const socket = await open({port: relay.port});
      socket.write(Buffer.from(shape, 'latin1'));
      const answer = await readHead(socket, 5000);
      assert.ok(answer.status >= 400 && answer.status <= 502, `${shape.slice(0, 40)}: ${answer.start}`);
      socket.destroy();
    }
    assert.deepEqual(
      seen.filter((each) => each.includes('smuggled')),
      [],
    );
    // The port still works for everyone else.
    assert.equal((await fetch(`http://127.0.0.1:${relay.port}/fine`)).status, 200);
  });

  it('500 connections that vanish, at every stage of a handshake: every descriptor comes back', async () => {
    const descriptors = () => readdirSync(`/proc/${one.process.pid}/fd`).length;
    const begun = descriptors();
    const text =
      'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    await pool(
      50,
      Array.from({length: 500}, (_, i) => async () => {
        const socket = connect(one.port, '127.0.0.1');
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        await new Promise((done) => socket.write(text.slice(0, Math.floor((i / 400) * text.length)), done));
        if (i % 3 === 0) await pause(i % 10);
        if (i % 2) socket.resetAndDestroy();
        else socket.destroy();
      }),
    );
    await eventually('every descriptor', () => descriptors() <= begun + 2, 15_000);
  });
});

describe('in a session', () => {
  const raws = async (): Promise<{client: Endpoint; peer: Endpoint; proxy: Proxy}> => {
    let arrived: (end: Endpoint) => void = () => undefined;
    const peer = new Promise<Endpoint>((resolve) => (arrived = resolve));
    const listener = await listenRaw((socket, request) => arrived(acceptEndpoint(socket, request)));
    cleanup(() => listener.close());
    const through = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${listener.port}`, limits: {fragments: 2_000_000, buffered: '1MiB'}}],
      threads: 1,
    });
    const client = await connectEndpoint({port: through.port});
    return {client, peer: await peer, proxy: through};
  };

  it('a ping flood is ended with 1008 and counted once', async () => {
    const count = await anomalies('control_flood');
    const client = await connectEndpoint({port: one.port});
    const flood = Buffer.concat(
      Array.from({length: 1000}, () => encode({opcode: 9, payload: Buffer.alloc(125)}, true)),
    );
    for (let i = 0; i < 20 && client.ended === undefined && client.close === undefined; ++i) await client.write(flood);
    await client.until(() => client.ended !== undefined, 5000);
    assert.equal(client.close?.code ?? 1008, 1008);
    assert.notEqual(client.ended, undefined);
    assert.equal(await anomalies('control_flood'), count + 1);
  });

  it('a million tiny fragments: 1008 at the limit', async () => {
    const count = await anomalies('too_many_fragments');
    const client = await connectEndpoint({port: one.port});
    await client.send({opcode: 1, payload: Buffer.from('x'), fin: false});
    const some = Buffer.concat(
      Array.from({length: 10_000}, () => encode({opcode: 0, payload: Buffer.from('y'), fin: false}, true)),
    );
    for (let i = 0; i < 100 && client.ended === undefined && client.close === undefined; ++i) await client.write(some);
    await client.until(() => client.ended !== undefined, 5000);
    assert.equal(client.close?.code ?? 1008, 1008);
    assert.equal(await anomalies('too_many_fragments'), count + 1);
  });

  it('a million tiny fragments, allowed: they pass, and nothing of them is kept', async () => {
    const {client, peer, proxy: through} = await raws();
    let frames = 0;
    peer.onFrame = () => ++frames;
    const rss = through.process.rss();
    await client.send({opcode: 2, fin: false});
    const some = Buffer.concat(
      Array.from({length: 10_000}, () => encode({opcode: 0, payload: Buffer.from('y'), fin: false}, true)),
    );
    for (let i = 0; i < 100; ++i) await client.write(some);
    await client.send({opcode: 0, fin: true});
    // However long it takes, as long as it goes on.
    for (let before = -1; before !== frames && !peer.messages().length; ) {
      before = frames;
      await peer.until(() => peer.messages().length === 1, 10_000);
    }
    assert.equal(peer.messages().length, 1, `${frames} frames came`);
    assert.equal(peer.messages()[0]!.payload.length, 1_000_000);
    assert.ok(through.process.rss() - rss < 16 * mb);
    await client.shut();
    peer.destroy();
  });

  for (const reader of ['client', 'peer'] as const)
    it(`a ${reader} that never reads: its sender is paused, memory stays, every byte arrives in the end`, async () => {
      const ends = await raws();
      const slow = ends[reader],
        fast = reader === 'client' ? ends.peer : ends.client;
      const rss = ends.proxy.process.rss();
      slow.socket.pause();
      const chunk = encode({opcode: 2, payload: Buffer.alloc(1 << 20, 5)}, fast.role === 'client');
      let written = 0;
      const sending = (async () => {
        for (let i = 0; i < 100; ++i) {
          await fast.write(chunk);
          ++written;
        }
      })();
      // Until nothing more is taken for a while.
      let last = -1;
      await eventually(
        'the sender is paused',
        async () => {
          const still = written === last && written > 0;
          last = written;
          return still;
        },
        20_000,
        500,
      );
      assert.ok(written < 60, `${written} MiB were taken`);
      assert.ok(
        ends.proxy.process.rss() - rss < 32 * mb,
        `resident memory grew by ${((ends.proxy.process.rss() - rss) / mb).toFixed(1)} MB`,
      );
      const held = await eventually('the gauge shows it', async () => {
        const now = await metrics(ends.proxy);
        return now.sum('websocket_buffered_amount_bytes') > 0 && now.sum('websocket_buffered_sessions') === 1
          ? now
          : undefined;
      });
      assert.ok(held.sum('websocket_buffered_amount_bytes') < 64 * mb);
      assert.ok((await ends.proxy.sessions()).sessions[0].buffered_bytes > 0);
      slow.socket.resume();
      await sending;
      assert.ok(await slow.until(() => slow.messages().length === 100, 30_000), `${slow.messages().length} messages`);
      assert.ok(slow.messages().every((message) => message.payload.length === 1 << 20 && message.payload[777] === 5));
      await eventually(
        'the gauge is back at 0',
        async () => (await metrics(ends.proxy)).sum('websocket_buffered_amount_bytes') === 0,
      );
      await ends.client.shut();
      ends.peer.destroy();
    });

  it('200 sessions that break every rule at once', async () => {
    const bad: Buffer[] = [
      encode({opcode: 1, payload: Buffer.from('x'), masked: false}, true),
      encode({opcode: 11}, true),
      encode({opcode: 1, rsv: 7}, true),
      encode({opcode: 9, payload: Buffer.alloc(126)}, true),
      encode({opcode: 0}, true),
      encode({opcode: 1, announced: (1n << 63n) - 1n, lengthForm: 64}, true),
      encode({opcode: 1, announced: 1n << 63n, lengthForm: 64}, true),
      encode({opcode: 8, payload: Buffer.from([0])}, true),
      encode({opcode: 1, payload: Buffer.from([0xff])}, true),
      encode({opcode: 8, payload: Buffer.from([3, 0xed])}, true),
    ];
    const codes = await Promise.all(
      Array.from({length: 200}, async (_, i) => {
        const client = await connectEndpoint({port: one.port});
        await client.chop(bad[i % bad.length]!, 1 + (i % 7));
        await client.until(() => client.ended !== undefined, 8000);
        client.destroy();
        return client.close?.code;
      }),
    );
    const expected = [1002, 1002, 1002, 1002, 1002, 1009, 1002, 1002, 1007, 1002];
    assert.deepEqual(
      codes,
      codes.map((_, i) => expected[i % bad.length]),
    );
  });
});
