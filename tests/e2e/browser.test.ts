// A real browser: headless Chromium opens WebSockets from a page, over ws and wss.
import assert from 'node:assert/strict';
import {after, before, it} from 'node:test';
import {createServer, type Server} from 'node:http';
import {once} from 'node:events';
import type {Browser, Page} from 'playwright-core';
import {browser as launch} from './chromium.js';
import {Authority} from '../lib/certs.js';
import {collector, exported, spansOf} from './collector.js';
import {backend, metrics, proxy, quiet} from './support.js';
import {eventually} from '../lib/wait.js';

let browser: Browser, page: Page, site: Server, origin: string;

before(async () => {
  site = createServer((_, response) =>
    response.writeHead(200, {'Content-Type': 'text/html'}).end('<!doctype html><title>t</title>'),
  );
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  origin = `http://127.0.0.1:${(site.address() as {port: number}).port}`;
  browser = await launch('--ignore-certificate-errors');
  page = await (await browser.newContext({ignoreHTTPSErrors: true})).newPage();
  await page.goto(origin);
});
after(async () => {
  await browser?.close();
  site?.close();
});

// Runs in the page: sends each message, collects the echoes, closes with `code`.
const talk = (url: string, protocols: string[], messages: string[], code: number) =>
  page.evaluate(
    async ([address, names, texts, closeCode]) => {
      const socket = new WebSocket(address, names);
      socket.binaryType = 'arraybuffer';
      const got: string[] = [];
      return new Promise<{got: string[]; code: number; reason: string; protocol: string; extensions: string}>(
        (resolve, reject) => {
          let info = {protocol: '', extensions: ''};
          socket.onopen = () => {
            info = {protocol: socket.protocol, extensions: socket.extensions};
            for (const text of texts) socket.send(text);
            socket.send(new Uint8Array([1, 2, 3]));
          };
          socket.onmessage = (event) => {
            got.push(
              typeof event.data === 'string'
                ? event.data
                : `bytes ${new Uint8Array(event.data as ArrayBuffer).join(',')}`,
            );
            if (got.length === texts.length + 1) socket.close(closeCode, 'done');
          };
          socket.onclose = (event) => resolve({got, code: event.code, reason: event.reason, ...info});
          setTimeout(() => reject(new Error('no close within 15 s')), 15_000);
        },
      );
    },
    [url, protocols, messages, code] as const,
  );

it('talks over ws and wss, with permessage-deflate and a subprotocol', async () => {
  const server = await backend({deflate: true, protocols: ['chat']});
  const certificate = new Authority().issue('front');
  const plain = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`, origins: [origin]}]});
  const secure = await proxy({
    routes: [
      {
        upstream: `ws://127.0.0.1:${server.port}`,
        tls: {certificate: certificate.certificate, key: certificate.key},
        origins: [origin],
        compression: 'observe',
      },
    ],
  });
  const messages = ['hello', 'grüße', 'x'.repeat(100_000)];
  for (const [one, scheme] of [
    [plain, 'ws'],
    [secure, 'wss'],
  ] as const) {
    const seen = await talk(`${scheme}://127.0.0.1:${one.port}/room?x=1`, ['other', 'chat'], messages, 4100);
    assert.deepEqual(seen.got, [...messages, 'bytes 1,2,3']);
    assert.equal(seen.code, 4100);
    assert.equal(seen.reason, 'done');
    assert.equal(seen.protocol, 'chat');
    assert.match(seen.extensions, /permessage-deflate/);
    const request = server.requests.at(-1)!;
    assert.equal(request.headers.origin, origin);
    assert.match(request.headers['user-agent'] ?? '', /Chrome/);
    const counted = await quiet(one);
    assert.equal(counted.sum('websocket_messages_total', {direction: 'c2s', type: 'text'}), 3);
    assert.equal(counted.sum('websocket_messages_total', {direction: 's2c', type: 'binary'}), 1);
    assert.equal(counted.sum('websocket_closes_total', {code: '4100', initiator: 'client', reason: 'normal'}), 1);
    assert.equal(counted.sum('websocket_anomalies_total'), 0);
  }
});

it("takes a page's trace context from the query or a subprotocol, and keeps it from the upstream", async () => {
  const trace = '0af7651916cd43dd8448eb211c80319c',
    span = 'b7ad6b7169203331',
    context = `00-${trace}-${span}-01`;
  for (const browser of ['extract', 'remove']) {
    const to = await collector();
    const server = await backend({protocols: ['chat']});
    const one = await proxy({
      config: {...exported(to.endpoint), propagation: {browser}},
      routes: [{upstream: `ws://127.0.0.1:${server.port}`}],
    });
    const upstream = () => server.requests.at(-1)!;
    const passed = browser === 'extract';

    await talk(`ws://127.0.0.1:${one.port}/room?x=1&traceparent=${context}&tracestate=a%3Db`, [], [], 1000);
    assert.equal(upstream().url, passed ? `/room?x=1&traceparent=${context}&tracestate=a%3Db` : '/room?x=1');
    assert.equal(upstream().headers.tracestate, 'a=b');

    const both = await talk(`ws://127.0.0.1:${one.port}/room`, ['chat', `traceparent.${context}`], [], 1000);
    assert.equal(both.protocol, 'chat');
    assert.equal(upstream().headers['sec-websocket-protocol'], passed ? `chat, traceparent.${context}` : 'chat');

    if (!passed) {
      // All it offered is kept back: the answer must still select it, or the page would see a failure.
      const alone = await talk(`ws://127.0.0.1:${one.port}/room`, [`traceparent.${context}`], [], 1000);
      assert.equal(alone.protocol, `traceparent.${context}`);
      assert.equal(upstream().headers['sec-websocket-protocol'], undefined);
    }
    const handshakes = await spansOf(to, 'websocket.handshake', passed ? 2 : 3);
    for (const each of handshakes) {
      assert.equal(each.traceId, trace);
      assert.equal(each.parentSpanId, span);
    }
    assert.match(upstream().headers.traceparent as string, new RegExp(`^00-${trace}-(?!${span})[0-9a-f]{16}-01$`));
  }
});

it('answers our pings, which the page does not see', async () => {
  const server = await backend();
  const one = await proxy({
    routes: [{upstream: `ws://127.0.0.1:${server.port}`, heartbeat: {interval: '200ms', timeout: '2s'}}],
  });
  await page.evaluate((url) => {
    const socket = new WebSocket(url);
    (globalThis as {held?: WebSocket}).held = socket;
    return new Promise((resolve) => (socket.onopen = resolve));
  }, `ws://127.0.0.1:${one.port}/`);
  const counted = await eventually('pongs of the browser', async () => {
    const now = await metrics(one);
    return now.sum('websocket_ping_rtt_seconds_count', {leg: 'client'}) >= 3 ? now : undefined;
  });
  assert.equal(counted.sum('websocket_pong_missed_total'), 0);
  assert.equal(counted.sum('websocket_messages_total', {type: 'pong'}), 0, "ours are not the application's");
  assert.equal((await one.sessions()).sessions[0].state, 'open');
});

it('an origin that is not listed cannot connect', async () => {
  const server = await backend();
  const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`, origins: ['https://elsewhere.test']}]});
  const code = await page.evaluate(
    (url) =>
      new Promise<number>((resolve) => {
        new WebSocket(url).onclose = (event) => resolve(event.code);
      }),
    `ws://127.0.0.1:${one.port}/`,
  );
  assert.equal(code, 1006);
  assert.equal(server.requests.length, 0);
});

it('going away from the page ends the session', async () => {
  const server = await backend();
  const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`}]});
  const other = await page.context().newPage();
  await other.goto(origin);
  await other.evaluate(
    (url) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url);
        (globalThis as {held?: WebSocket}).held = socket;
        socket.onopen = resolve;
      }),
    `ws://127.0.0.1:${one.port}/`,
  );
  await other.close();
  const counted = await quiet(one);
  assert.equal(counted.sum('websocket_closes_total', {initiator: 'client'}), 1);
  await eventually('the backend is told', () => server.closes.length === 1);
});
