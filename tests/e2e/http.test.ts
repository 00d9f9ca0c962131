// What a peer sees when things are right and when they are not: relayed requests, routes, origins, refusals.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {connect, createServer} from 'node:net';
import {describe, it} from 'node:test';
import {request as httpRequest, type IncomingHttpHeaders, type RequestOptions} from 'node:http';
import {acceptKey, open, readHead} from '../lib/endpoint.js';
import {freePorts} from '../lib/process.js';
import {eventually, Lateness, withDeadline} from '../lib/wait.js';
import {backend, cleanup, connected, metrics, proxy, roundTrip, shut} from './support.js';

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}
function ask(port: number, options: RequestOptions & {body?: string | Buffer} = {}): Promise<Answer> {
  return withDeadline(
    10_000,
    'answer',
    () =>
      new Promise((resolve, reject) => {
        const request = httpRequest({host: '127.0.0.1', port, agent: false, ...options}, (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (part: string) => (body += part));
          response.on('end', () => resolve({status: response.statusCode ?? 0, headers: response.headers, body}));
          response.on('error', reject);
        });
        request.on('error', reject);
        request.on('upgrade', (response, socket) => {
          socket.destroy();
          resolve({status: response.statusCode ?? 0, headers: response.headers, body: ''});
        });
        request.end(options.body);
      }),
  );
}
const upgrade = (headers: Record<string, string> = {}): RequestOptions => ({
  headers: {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  },
});

describe('plain HTTP on the same port', () => {
  it('is relayed, bodies and all, and the connection is kept', async () => {
    const server = await backend({
      http: (request, response) => {
        const parts: Buffer[] = [];
        request.on('data', (part: Buffer) => parts.push(part));
        request.on('end', () =>
          response
            .writeHead(200, {
              'X-Method': request.method,
              'X-Path': request.url,
              'X-For': String(request.headers['x-forwarded-for']),
            })
            .end(Buffer.concat(parts)),
        );
      },
    });
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`}]});
    const health = await ask(one.port, {path: '/health?deep=1'});
    assert.equal(health.status, 200);
    assert.equal(health.headers['x-path'], '/health?deep=1');
    assert.equal(health.headers['x-for'], '127.0.0.1');
    const big = Buffer.alloc(3_000_000, 'polling ');
    const posted = await ask(one.port, {
      method: 'POST',
      path: '/socket.io/?transport=polling',
      headers: {'Content-Length': String(big.length)},
      body: big,
    });
    assert.equal(posted.headers['x-method'], 'POST');
    assert.equal(posted.body, big.toString());
    const chunked = await ask(one.port, {
      method: 'PUT',
      path: '/chunked',
      headers: {'Transfer-Encoding': 'chunked'},
      body: 'in chunks',
    });
    assert.equal(chunked.body, 'in chunks');
    const head = await ask(one.port, {method: 'HEAD', path: '/head'});
    assert.equal(head.body, '');
    assert.equal(head.headers['x-method'], 'HEAD');

    const socket = await open({port: one.port});
    for (const path of ['/one', '/two']) {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const answer = await readHead(socket);
      assert.equal(answer.get('x-path'), path);
      assert.equal(answer.status, 200);
      if (Number(answer.get('content-length') ?? 0) === 0 && /chunked/.test(answer.get('transfer-encoding') ?? ''))
        await readRest(socket);
    }
    socket.destroy();
    const counted = await metrics(one);
    assert.equal(counted.sum('sockeye_http_requests_total'), 6);
    assert.equal(counted.sum('websocket_connections_total'), 0, 'none of it is a session');
  });

  it('is refused with 426 where the route says so', async () => {
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`, plain_http: 'refuse'}]});
    const answer = await ask(one.port, {path: '/health'});
    assert.equal(answer.status, 426);
    assert.equal(answer.headers.upgrade, 'websocket');
    assert.equal(answer.headers['sec-websocket-version'], '13');
    assert.match(answer.body, /^426 Upgrade Required: .+\n$/);
    await roundTrip(await connected(`ws://127.0.0.1:${one.port}/`), 'hi');
  });

  it('an upgrade works behind requests on one connection', async () => {
    const server = await backend({http: (_, response) => response.writeHead(200, {'Content-Length': 2}).end('ok')});
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`}]});
    const socket = await open({port: one.port});
    socket.write('GET /poll HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await readHead(socket)).status, 200);
    socket.write(
      'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
    const answer = await eventually('the 101', async () => {
      const head = await readHead(socket);
      return head.raw.includes('101') ? head : undefined;
    });
    assert.match(answer.raw, new RegExp(acceptKey('dGhlIHNhbXBsZSBub25jZQ==').replaceAll('+', '\\+')));
    socket.destroy();
  });
});

// Chunked answers end with an empty chunk.
async function readRest(socket: import('node:net').Socket): Promise<void> {
  let got = '';
  const data = (part: Buffer) => (got += part.toString());
  socket.on('data', data);
  socket.resume();
  await eventually('the last chunk', () => got.endsWith('0\r\n\r\n'));
  socket.off('data', data);
  socket.pause();
}

describe('routes', () => {
  it('are chosen by host, path and subprotocol, in order', async () => {
    const named = async (name: string, protocols?: string[]) =>
      backend({
        protocols,
        onUpgrade: (request) => {
          (request as {seen?: string}).seen = name;
          return false;
        },
      });
    const [host, path, protocol, rest] = [
      await named('host'),
      await named('path'),
      await named('protocol', ['graphql-ws', 'soap']),
      await named('rest'),
    ];
    const at = (one: {port: number}) => `ws://127.0.0.1:${one.port}`;
    const one = await proxy({
      routes: [
        {name: 'host', match: {host: '*.calls.test'}, upstream: at(host)},
        {name: 'path', match: {path: '/media'}, upstream: at(path)},
        {name: 'protocol', match: {subprotocol: 'graphql-ws'}, upstream: at(protocol)},
        {name: 'rest', match: {path: '/any'}, upstream: `${at(rest)}/prefix`},
      ],
    });
    const url = `ws://127.0.0.1:${one.port}`;
    const goes = async (to: typeof host, target: string, protocols: string[] = [], headers = {}) => {
      const before = to.requests.length;
      const socket = await connected(url + target, {headers}, protocols);
      assert.equal(to.requests.length, before + 1, target);
      return socket;
    };
    await goes(host, '/media', [], {Host: 'a.calls.test:8080'});
    await goes(path, '/media/7?token=x');
    assert.equal(path.requests[0]!.url, '/media/7?token=x');
    assert.equal((await goes(protocol, '/elsewhere', ['other', 'graphql-ws'])).protocol, 'graphql-ws');
    await goes(rest, '/any/thing');
    assert.equal(rest.requests[0]!.url, '/prefix/any/thing');
    for (const target of ['/mediation', '/', '/media/../x'])
      await assert.rejects(connected(url + target), /404/, target);
    const counted = await metrics(one);
    for (const route of ['host', 'path', 'protocol', 'rest'])
      assert.equal(counted.sum('websocket_connections_total', {route, result: 'accept'}), 1, route);
  });

  it('X-Forwarded-* and Forwarded are appended, replaced or left alone', async () => {
    const server = await backend();
    const upstream = `ws://127.0.0.1:${server.port}`;
    const one = await proxy({
      routes: ['append', 'replace', 'off'].map((forwarded) => ({
        name: forwarded,
        match: {path: `/${forwarded}`},
        upstream,
        forwarded,
      })),
    });
    const seen = async (policy: string) => {
      await connected(`ws://127.0.0.1:${one.port}/${policy}`, {
        headers: {'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https'},
      });
      return server.requests.at(-1)!.headers;
    };
    assert.equal((await seen('append'))['x-forwarded-for'], '203.0.113.7, 127.0.0.1');
    assert.equal((await seen('append'))['x-forwarded-proto'], 'https');
    assert.equal((await seen('replace'))['x-forwarded-for'], '127.0.0.1');
    assert.equal((await seen('replace'))['x-forwarded-proto'], 'http');
    assert.equal((await seen('off'))['x-forwarded-for'], '203.0.113.7');
  });

  it('only listed origins, and clients that are no browser, get in', async () => {
    const server = await backend();
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${server.port}`, origins: ['https://app.example.com', '*.example.org']}],
    });
    const url = `ws://127.0.0.1:${one.port}/`;
    for (const origin of ['https://app.example.com', 'https://www.example.org', undefined])
      await shut(await connected(url, {origin}));
    for (const origin of ['https://evil.test', 'http://app.example.com', 'https://app.example.com.evil.test', 'null']) {
      const answer = await ask(one.port, upgrade({Origin: origin}));
      assert.equal(answer.status, 403, origin);
      assert.match(answer.body, /^403 Forbidden: .+\n$/);
    }
    assert.equal((await metrics(one)).sum('websocket_connections_total', {result: 'reject'}), 4);
    assert.equal(server.requests.length, 3);
  });
});

describe('refusals carry a reason', () => {
  const refused = (answer: Answer, status: number) => {
    assert.equal(answer.status, status);
    assert.match(answer.body, new RegExp(`^${status} [A-Za-z ]+: .+\n$`));
    assert.match(answer.headers['content-type'] ?? '', /text\/plain/);
  };

  it('502: the upstream is not there', async () => {
    const [port] = await freePorts(1);
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${port}`}]});
    refused(await ask(one.port, upgrade()), 502);
    refused(await ask(one.port, {path: '/plain'}), 502);
    assert.equal((await metrics(one)).sum('websocket_connections_total', {result: 'reject'}), 1);
  });

  it('504: the upstream does not answer', async () => {
    const silent = createServer(() => undefined);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanup(() => silent.close());
    const one = await proxy({
      routes: [
        {upstream: `ws://127.0.0.1:${(silent.address() as {port: number}).port}`, limits: {handshake_timeout: '500ms'}},
      ],
    });
    const late = new Lateness();
    const begun = performance.now();
    refused(await ask(one.port, upgrade()), 504);
    const took = performance.now() - begun;
    assert.ok(took < 3000 + late.stop(), `refused after ${took} ms, handshake_timeout is 500 ms`);
  });

  it('503: too many sessions, and Retry-After; a place is free again once one ends', async () => {
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`, limits: {sessions: 2}}]});
    const url = `ws://127.0.0.1:${one.port}/`;
    const first = await connected(url);
    await connected(url);
    const answer = await ask(one.port, upgrade());
    refused(answer, 503);
    assert.ok(answer.headers['retry-after']);
    await shut(first);
    await eventually('a free place', async () => {
      const socket = await connected(url).catch(() => undefined);
      return socket;
    });
  });

  it('400, 404, 426', async () => {
    const server = await backend();
    const one = await proxy({routes: [{match: {path: '/here'}, upstream: `ws://127.0.0.1:${server.port}`}]});
    refused(await ask(one.port, {path: '/here', ...upgrade({'Sec-WebSocket-Key': 'short'})}), 400);
    refused(await ask(one.port, {path: '/there', ...upgrade()}), 404);
    const answer = await ask(one.port, {path: '/here', ...upgrade({'Sec-WebSocket-Version': '8'})});
    refused(answer, 426);
    assert.equal(answer.headers['sec-websocket-version'], '13');
    assert.equal(server.requests.length, 0);
  });

  it('408: a request head that does not arrive in time; 431: one that is too large', async () => {
    const server = await backend();
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${server.port}`, limits: {handshake_timeout: '700ms'}}],
      config: {limits: {header: '4KiB', fields: 20}},
    });
    const slow = connect(one.port, '127.0.0.1');
    slow.on('error', () => undefined);
    slow.write('GET / HTTP/1.1\r\nHost: a\r\n');
    const head = await readHead(slow, 5000);
    assert.equal(head.status, 408);
    slow.destroy();
    refused(await ask(one.port, upgrade({'X-Big': 'x'.repeat(5000)})), 431);
    refused(await ask(one.port, upgrade(Object.fromEntries(Array.from({length: 30}, (_, i) => [`X-${i}`, '1'])))), 431);
    const counted = await metrics(one);
    assert.equal(counted.sum('websocket_anomalies_total', {kind: 'handshake_timeout'}), 1);
    assert.equal(counted.sum('websocket_anomalies_total', {kind: 'header_too_large'}), 2);
  });
});
