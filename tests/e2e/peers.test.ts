// Clients and servers of three makes, ws and wss on either side, with and without permessage-deflate.
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {readFileSync} from 'node:fs';
import {before, describe, it} from 'node:test';
import {Authority, type Certificate} from '../lib/certs.js';
import {binary, python, temporaryFolder, testsFolder} from '../lib/process.js';
import type {Proxy} from '../lib/proxy.js';
import {
  backend,
  child,
  cleanup,
  closed,
  connected,
  listening,
  metrics,
  program,
  proxy,
  quiet,
  roundTrip,
  shut,
} from './support.js';
import {startServer} from '../conformance/peers.js';

const authority = new Authority();
const served = authority.issue('server');
const front = authority.issue('front');
const peer = join(testsFolder, 'peers/python/peer.py');
const beast = process.env.BEAST_PEER ?? binary('beast_peer');
const listenTls = (certificate: Certificate) => ({certificate: certificate.certificate, key: certificate.key});

describe('every client with every server', () => {
  const servers: Record<string, () => Promise<{url: string}>> = {
    ws: async () => ({url: `ws://127.0.0.1:${await listening(program('ws_peer', 'serve'))}`}),
    'ws without deflate': async () => ({
      url: `ws://127.0.0.1:${await listening(program('ws_peer', 'serve', '--no-deflate'))}`,
    }),
    'ws over TLS': async () => ({
      url: `wss://127.0.0.1:${await listening(program('ws_peer', 'serve', '--tls', served.certificate, served.key))}`,
    }),
    python: async () => ({url: `ws://127.0.0.1:${await listening(child('python', python, ['-u', peer, 'serve']))}`}),
    'python over TLS': async () => {
      const server = child('python', python, ['-u', peer, 'serve', '--tls', served.certificate, served.key]);
      return {url: `wss://127.0.0.1:${await listening(server)}`};
    },
    beast: async () => {
      const server = await startServer('beast');
      cleanup(() => server.process.stop());
      return {url: `ws://127.0.0.1:${server.port}`};
    },
  };
  for (const [name, start] of Object.entries(servers))
    for (const secure of [false, true])
      it(`${name}, clients over ${secure ? 'wss' : 'ws'}`, async () => {
        const {url} = await start();
        const one = await proxy({
          routes: [
            {
              upstream: url.startsWith('wss') ? {url, tls: {ca: authority.ca}} : url,
              ...(secure ? {tls: listenTls(front)} : {}),
            },
          ],
        });
        const at = `${secure ? 'wss' : 'ws'}://127.0.0.1:${one.port}/talk`;
        const ca = readFileSync(authority.ca);
        let messages = 0;
        for (const perMessageDeflate of [false, {threshold: 0}]) {
          const socket = await connected(at, {ca, perMessageDeflate});
          for (const message of ['', 'hello', 'é'.repeat(40_000), Buffer.alloc(200_000, 7)]) {
            assert.deepEqual(Buffer.from(await roundTrip(socket, message)), Buffer.from(message as string));
            ++messages;
          }
          assert.equal((await shut(socket, 4003)).code, 4003);
        }
        const talk = child('python client', python, [peer, 'talk', at, '50', '3000', '--ca', authority.ca]);
        assert.equal(await talk.exit(20_000), 0, talk.err);
        assert.match(talk.out, /talked 50/);
        messages += 50;
        if (!secure) {
          const beastClient = child('beast client', beast, ['talk', at, '50', '3000']);
          assert.equal(await beastClient.exit(20_000), 0, beastClient.err);
          messages += 50;
        }
        const counted = await quiet(one);
        const data = (direction: string) =>
          counted.sum('websocket_messages_total', {direction, type: 'text'}) +
          counted.sum('websocket_messages_total', {direction, type: 'binary'});
        assert.equal(data('c2s'), messages);
        assert.equal(data('s2c'), messages);
        assert.equal(counted.sum('websocket_anomalies_total'), 0);
      });
});

describe('TLS', () => {
  let plain: Awaited<ReturnType<typeof backend>>;
  before(async () => {
    plain = await backend();
  });
  const tlsBackend = (name: string, names?: string[], ca?: string) =>
    backend({tls: {...authority.issue(name, names), ca}});
  const through = async (one: Proxy, secure = false) =>
    connected(`${secure ? 'wss' : 'ws'}://127.0.0.1:${one.port}/`, secure ? {ca: readFileSync(authority.ca)} : {});

  it('an upstream with a name that is not asked for is refused with 502', async () => {
    const server = await tlsBackend('elsewhere', ['DNS:elsewhere.test']);
    const one = await proxy({routes: [{upstream: {url: `wss://127.0.0.1:${server.port}`, tls: {ca: authority.ca}}}]});
    await assert.rejects(through(one), /502/);
  });
  it('server_name is what is asked for', async () => {
    const server = await tlsBackend('elsewhere', ['DNS:elsewhere.test']);
    const one = await proxy({
      routes: [
        {upstream: {url: `wss://127.0.0.1:${server.port}`, tls: {ca: authority.ca, server_name: 'elsewhere.test'}}},
      ],
    });
    assert.equal(String(await roundTrip(await through(one), 'hi')), 'hi');
  });
  it('an upstream of another authority is refused with 502, and not with verify: false', async () => {
    const stranger = new Authority();
    const server = await backend({tls: stranger.issue('server')});
    const strict = await proxy({
      routes: [{upstream: {url: `wss://127.0.0.1:${server.port}`, tls: {ca: authority.ca}}}],
    });
    await assert.rejects(through(strict), /502/);
    const lax = await proxy({routes: [{upstream: {url: `wss://127.0.0.1:${server.port}`, tls: {verify: false}}}]});
    assert.equal(String(await roundTrip(await through(lax), 'hi')), 'hi');
  });
  it('a client certificate of ours is what an upstream can ask for', async () => {
    const mine = authority.issue('sidecar');
    const server = await tlsBackend('server', undefined, authority.ca);
    const url = `wss://127.0.0.1:${server.port}`;
    const with_ = await proxy({routes: [{upstream: {url, tls: {ca: authority.ca, ...listenTls(mine)}}}]});
    assert.equal(String(await roundTrip(await through(with_), 'hi')), 'hi');
    const without = await proxy({routes: [{upstream: {url, tls: {ca: authority.ca}}}]});
    await assert.rejects(through(without), /502|hang up/);
  });
  it('client_ca: only clients with a certificate of that authority get in', async () => {
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${plain.port}`, tls: {...listenTls(front), client_ca: authority.ca}}],
    });
    await assert.rejects(through(one, true));
    const mine = authority.issue('client');
    const socket = await connected(`wss://127.0.0.1:${one.port}/`, {
      ca: readFileSync(authority.ca),
      cert: readFileSync(mine.certificate),
      key: readFileSync(mine.key),
    });
    assert.equal(String(await roundTrip(socket, 'hi')), 'hi');
  });
  it('a plain upgrade on a TLS port, and a ClientHello on a plain one, are turned away', async () => {
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${plain.port}`, tls: listenTls(front)}]});
    await assert.rejects(through(one));
    const other = await proxy({routes: [{upstream: `ws://127.0.0.1:${plain.port}`}]});
    await assert.rejects(connected(`wss://127.0.0.1:${other.port}/`, {rejectUnauthorized: false}));
    assert.equal(String(await roundTrip(await through(other), 'hi')), 'hi');
    assert.equal((await metrics(other)).sum('websocket_connections_active'), 1);
  });
});

it('Unix sockets and IPv6 on both sides', async () => {
  const folder = temporaryFolder();
  const server = await backend({path: join(folder, 'backend.sock')});
  const one = await proxy({
    routes: [
      {upstream: `unix:${join(folder, 'backend.sock')}`},
      {name: 'front', listen: `unix:${join(folder, 'front.sock')}`, upstream: `unix:${join(folder, 'backend.sock')}`},
    ],
  });
  for (const url of [`ws://127.0.0.1:${one.port}/`, `ws+unix://${join(folder, 'front.sock')}:/path`]) {
    const socket = await connected(url);
    assert.equal(String(await roundTrip(socket, 'hi')), 'hi');
    const end = closed(socket);
    for (const each of server.sockets) each.close(4001, 'bye');
    assert.deepEqual(await end, {code: 4001, reason: 'bye'});
  }
  const v6 = await proxy({
    routes: [
      {listen: '[::1]:0', upstream: `ws://[::1]:1`},
      {name: 'usual', upstream: `unix:${join(folder, 'backend.sock')}`},
    ],
  });
  assert.equal(String(await roundTrip(await connected(`ws://127.0.0.1:${v6.port}/`), 'hi')), 'hi');
});
