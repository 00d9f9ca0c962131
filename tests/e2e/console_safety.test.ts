// Who may ask the console, and what it does with a database that is not one it can use.
import assert from 'node:assert/strict';
import {chmodSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {connect} from 'node:net';
import {join} from 'node:path';
import {before, describe, it} from 'node:test';
import {credentials, Metadata, status as grpcStatus} from '@grpc/grpc-js';
import {OTLPTraceExporter as GrpcExporter} from '@opentelemetry/exporter-trace-otlp-grpc';
import {BasicTracerProvider, SimpleSpanProcessor} from '@opentelemetry/sdk-trace-base';
import {WebSocket} from 'ws';
import {Authority} from '../lib/certs.js';
import {python, temporaryFolder} from '../lib/process.js';
import {eventually, withDeadline} from '../lib/wait.js';
import {ask, type Console, console_, refusal, spansRequest, traceId} from './console.js';
import {cleanup, connected, shut} from './support.js';

const page = ['sockeye-page.v1'];
// The status that a WebSocket handshake was refused with; 101 when it was not.
const handshake = (url: string, headers: Record<string, string>): Promise<number> =>
  withDeadline(
    5000,
    'handshake',
    () =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url, page, {headers});
        socket.on('open', () => (socket.terminate(), resolve(101)));
        socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
        socket.on('error', reject);
      }),
  );

describe('an open console on loopback', () => {
  let one: Console, live: string;
  before(async () => {
    one = await console_({arguments: ['--host', 'console.test']});
    live = `${one.url.replace('http', 'ws')}/api/v1/live`;
  });
  it('answers to addresses, localhost and the names it was given, and to no other', async () => {
    const {port} = new URL(one.url);
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, 'console.test', 'CONSOLE.test:99'])
      assert.equal((await one.ask('/api/v1/status', {headers: {host}})).status, 200, host);
    for (const host of ['evil.example', `127.0.0.1.evil.example:${port}`, 'localhost.evil.example', 'xconsole.test']) {
      for (const path of ['/', '/api/v1/status', '/api/traces', '/healthz'])
        assert.equal((await one.ask(path, {headers: {host}})).status, 403, `${host}${path}`);
      assert.equal((await one.send('traces', spansRequest([{traceId: traceId()}]), {host})).status, 403, host);
      assert.equal(await handshake(live, {host, origin: `http://${host}`}), 403, host);
    }
  });
  it("refuses a WebSocket of another site's page", async () => {
    for (const origin of [
      'http://evil.example',
      'null',
      one.url.replace('127.0.0.1', 'localhost'),
      `${one.url}0`,
      one.url.replace('http', 'https'),
    ])
      assert.equal(await handshake(live, {origin}), 403, origin);
    assert.equal(await handshake(live, {origin: one.url}), 101);
    assert.equal(await handshake(`${live}/report`, {origin: 'http://evil.example'}), 403);
    assert.equal(await handshake(`${live}/report`, {}), 400, "another subprotocol than a proxy's");
  });
  it('lets no page of another site read, frame or run anything', async () => {
    for (const path of ['/', '/traces/x', '/api/v1/status']) {
      const {headers} = await one.ask(path, {headers: {origin: 'http://evil.example'}});
      assert.equal(headers['access-control-allow-origin'], undefined);
      assert.match(String(headers['content-security-policy']), /default-src 'none'/);
      assert.doesNotMatch(String(headers['content-security-policy']), /unsafe|\*/);
      assert.match(String(headers['content-security-policy']), /frame-ancestors 'none'/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
    }
  });
  it('limits how fast one address asks', async () => {
    // On one connection, all at once: faster than any machine is slow.
    const socket = connect(Number(new URL(one.url).port), '127.0.0.1'),
      asked = 3000;
    cleanup(() => socket.destroy());
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (data) => (text += data));
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(asked));
    await eventually('one is refused', () => /^HTTP\/1\.1 429 [\s\S]*\r\n\r\n/m.test(text), 30_000);
    const taken = text.match(/^HTTP\/1\.1 200 /gm)?.length ?? 0;
    assert.ok(taken >= 300 && taken < asked, `${taken} before the first that is refused`);
    assert.match(text, /^Retry-After: 1\r$/m);
  });
});

describe('with a token', () => {
  const token = 'correct-horse-battery-staple';
  let one: Console;
  before(async () => {
    const file = join(temporaryFolder(), 'token');
    writeFileSync(file, `${token}\n`, {mode: 0o600});
    one = await console_({arguments: ['--token-file', file], token});
  });
  const bare = (path: string, headers = {}, body?: string) => ask(one.url + path, {headers, body});
  it('the API, all three receivers and both WebSockets ask for it', async () => {
    for (const path of ['/api/v1/status', '/api/v1/traces', '/api/services', '/api/traces']) {
      const answer = await bare(path);
      assert.deepEqual([answer.status, answer.headers['www-authenticate']], [401, 'Bearer'], path);
      for (const wrong of [`Bearer ${token}x`, 'Bearer ', `Basic ${token}`, `Bearer ${token.slice(0, -1)}`])
        assert.equal((await bare(path, {authorization: wrong})).status, 401, wrong);
      assert.equal((await bare(path, {authorization: `Bearer ${token}`})).status, 200, path);
    }
    assert.equal((await bare('/')).status, 200, 'the page itself holds no secrets');
    const request = JSON.stringify(spansRequest([{traceId: traceId()}])),
      otlp = (headers: object) =>
        ask(`${one.otlp}/v1/traces`, {headers: {'content-type': 'application/json', ...headers}, body: request});
    assert.equal((await otlp({})).status, 401);
    assert.equal((await otlp({authorization: `Bearer ${token}`})).status, 200);
    const live = `${one.url.replace('http', 'ws')}/api/v1/live`;
    assert.equal(await handshake(live, {origin: one.url}), 401);
    assert.equal(await handshake(`${live}/report`, {}), 401);
    assert.equal(await handshake(live, {origin: one.url, authorization: `Bearer ${token}`}), 101);
    const results: number[] = [];
    for (const metadata of [undefined, {authorization: `Bearer ${token}`}]) {
      const carried = new Metadata();
      for (const [key, value] of Object.entries(metadata ?? {})) carried.set(key, value);
      const exporter = new GrpcExporter({url: `http://${one.grpc}`, metadata: carried}),
        send = exporter.export.bind(exporter);
      exporter.export = (spans, done) =>
        send(spans, (result) => {
          results.push((result.error as {code?: number} | undefined)?.code ?? 0);
          done(result);
        });
      const provider = new BasicTracerProvider({spanProcessors: [new SimpleSpanProcessor(exporter)]});
      provider.getTracer('t').startSpan('s').end();
      await provider.shutdown();
    }
    assert.deepEqual(results, [grpcStatus.UNAUTHENTICATED, 0]);
  });
  it('a login gives a cookie that scripts cannot read, and a logout takes it', async () => {
    const json = {'content-type': 'application/json', origin: one.url};
    assert.equal((await bare('/api/v1/login', json, JSON.stringify({token: 'wrong'}))).status, 401);
    assert.equal((await bare('/api/v1/login', json, '{"token":')).status, 400);
    assert.equal(
      (await bare('/api/v1/login', {...json, origin: 'http://evil.example'}, JSON.stringify({token}))).status,
      403,
    );
    const {status, headers} = await bare('/api/v1/login', json, JSON.stringify({token}));
    assert.equal(status, 204);
    const [cookie] = headers['set-cookie']!;
    assert.match(cookie!, /HttpOnly/);
    assert.match(cookie!, /SameSite=Strict/);
    assert.ok(!cookie!.includes(token));
    const kept = cookie!.split(';')[0]!;
    assert.equal((await bare('/api/v1/status', {cookie: `a=b; ${kept}`})).status, 200);
    assert.equal((await bare('/api/v1/status', {cookie: `${kept}0`})).status, 401);
    const socket = await connected(
      `${one.url.replace('http', 'ws')}/api/v1/live`,
      {headers: {cookie: kept, origin: one.url}},
      page,
    );
    socket.send('{"fleet": true}');
    await withDeadline(5000, 'the fleet', () => once(socket, 'message'));
    await shut(socket);
    const out = await bare('/api/v1/logout', {...json, cookie: kept}, '');
    assert.match(out.headers['set-cookie']![0]!, /Max-Age=0/);
  });
  it('guessing is slow', async () => {
    const answers = await Promise.all(
      Array.from({length: 60}, (_, i) =>
        bare(
          '/api/v1/login',
          {'content-type': 'application/json', origin: one.url},
          JSON.stringify({token: `guess-number-${i}-of-many`}),
        ),
      ),
    );
    assert.ok(answers.filter((answer) => answer.status === 401).length < 30);
    assert.ok(answers.some((answer) => answer.status === 429));
  });
});

it('TLS on all three ports', async () => {
  const authority = new Authority(),
    {certificate, key} = authority.issue('console'),
    ca = readFileSync(authority.ca);
  const one = await console_({arguments: ['--tls-certificate', certificate, '--tls-key', key], ca});
  assert.match(one.url, /^https:/);
  const id = traceId();
  assert.equal((await one.send('traces', spansRequest([{traceId: id}]))).status, 200);
  const provider = new BasicTracerProvider({
    spanProcessors: [
      new SimpleSpanProcessor(new GrpcExporter({url: `https://${one.grpc}`, credentials: credentials.createSsl(ca)})),
    ],
  });
  const span = provider.getTracer('t').startSpan('over gRPC');
  span.end();
  await provider.shutdown();
  for (const each of [id, span.spanContext().traceId]) await one.trace(each);
  const socket = await connected(
    `${one.url.replace('http', 'ws')}/api/v1/live`,
    {ca, headers: {origin: one.url}},
    page,
  );
  await shut(socket);
  await assert.rejects(ask(one.url.replace('https', 'http')));
});

describe('what it will not start with', () => {
  const portsWith = (flag?: string, at = ''): string[] =>
    Object.entries({
      '--listen': '127.0.0.1:0',
      '--otlp-http': '127.0.0.1:0',
      '--otlp-grpc': 'off',
      ...(flag ? {[flag]: at} : {}),
    }).flat();
  const ports = portsWith();
  it('ports that everybody reaches, without a token', async () => {
    for (const [flag, at] of [
      ['--listen', '0.0.0.0:0'],
      ['--listen', ':0'],
      ['--otlp-http', '[::]:0'],
      ['--otlp-grpc', '0.0.0.0:0'],
    ]) {
      const {status, said} = await refusal('--data', temporaryFolder(), ...portsWith(flag, at));
      assert.deepEqual([status, /is not loopback.*--token-file.*--open/s.test(said)], [2, true], said);
    }
  });
  it('a token that is short or a file that is none', async () => {
    const short = join(temporaryFolder(), 'token');
    writeFileSync(short, 'secret\n');
    for (const file of [short, join(temporaryFolder(), 'nothing')]) {
      const {status, said} = await refusal('--data', temporaryFolder(), ...ports, '--token-file', file);
      assert.deepEqual([status, /--token-file/.test(said)], [2, true], said);
    }
  });
  const sqlite = (file: string, ...statements: string[]) =>
    execFileSync(python, [
      '-c',
      'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); ' +
        '[d.execute(s) for s in sys.argv[2:]]; d.commit(); d.close()',
      file,
      ...statements,
    ]);
  const unusable: Record<string, [RegExp, (file: string) => Promise<void>]> = {
    'a database of a newer schema': [
      /newer Sockeye/,
      async (file) => void (await used(file), sqlite(file, 'PRAGMA user_version = 999')),
    ],
    'a database of another program': [
      /./,
      async (file) => void sqlite(file, 'CREATE TABLE notes (text TEXT)', "INSERT INTO notes VALUES ('mine')"),
    ],
    'a file that is no database': [/./, async (file) => writeFileSync(file, 'dear diary\n'.repeat(1000))],
    'a damaged database': [
      /damaged/,
      async (file) => {
        await used(file);
        const bytes = readFileSync(file);
        bytes.fill(0xa5, 120, 16_384);
        writeFileSync(file, bytes);
      },
    ],
  };
  async function used(file: string): Promise<void> {
    const one = await console_({data: join(file, '..')});
    await one.send('traces', spansRequest([{traceId: traceId()}]));
    await one.stop();
  }
  for (const [what, [why, make]] of Object.entries(unusable))
    it(`${what}: says so and leaves it as it is`, async () => {
      const folder = join(temporaryFolder(), 'data'),
        file = join(folder, 'sockeye.db');
      mkdirSync(folder, {mode: 0o700});
      await make(file);
      const before = readFileSync(file);
      const {status, said} = await refusal('--data', folder, ...ports);
      assert.equal(status, 1, said);
      assert.match(said, why);
      assert.ok(said.includes('sockeye.db'), said);
      assert.ok(readFileSync(file).equals(before), 'not a byte of it changed');
    });
  it('a directory that another console has', async () => {
    const one = await console_();
    const {status, said} = await refusal('--data', one.data, ...ports);
    assert.deepEqual([status, /use|process|console/.test(said)], [1, true], said);
    assert.ok(one.running);
  });
  it('a port that is taken', async () => {
    const one = await console_(),
      folder = temporaryFolder();
    chmodSync(folder, 0o700);
    for (const [flag, at] of [
      ['--listen', one.url],
      ['--otlp-http', one.otlp],
      ['--otlp-grpc', `http://${one.grpc}`],
    ] as const) {
      const {status, said} = await refusal('--data', folder, ...portsWith(flag, new URL(at).host));
      assert.deepEqual([status, said.includes(flag)], [1, true], said);
    }
  });
});
