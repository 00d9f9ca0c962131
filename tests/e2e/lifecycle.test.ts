// SIGHUP and SIGTERM while sessions are at work: none is lost that should live.
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import {connect as tlsConnect} from 'node:tls';
import {once} from 'node:events';
import {describe, it} from 'node:test';
import {Authority} from '../lib/certs.js';
import {temporaryFolder} from '../lib/process.js';
import {join} from 'node:path';
import {eventually, Lateness, withDeadline} from '../lib/wait.js';
import {backend, closed, connected, listening, logLines, metrics, program, proxy, roundTrip, shut} from './support.js';

const report = async (one: ReturnType<typeof program>, ms = 60_000) =>
  JSON.parse((await one.saw(/^report (.+)$/m, ms))[1]!);

describe('reload', () => {
  it('under load: live sessions stay as they are, new ones take the new routes', async () => {
    const load = program('load_server');
    const old = `ws://127.0.0.1:${await listening(load)}`;
    const fresh = await backend();
    const one = await proxy({routes: [{name: 'calls', upstream: old}]});
    const url = `ws://127.0.0.1:${one.port}/`;
    const clients = program('load_client', url, '--sessions', '60', '--rate', '50', '--seconds', '5');
    await clients.saw(/^connected$/m);
    const held = await connected(url);
    for (let i = 0; i < 5; ++i) {
      const before = logLines(one, /reload/i).length;
      one.configure({
        routes: [
          {name: 'calls', upstream: `ws://127.0.0.1:${fresh.port}`},
          {name: `extra${i}`, match: {path: '/extra'}, upstream: old},
        ],
      });
      one.process.signal('SIGHUP');
      await eventually('the reload is logged', () => logLines(one, /reload/i).length > before, 10_000, 5);
    }
    const socket = await connected(url);
    assert.equal(String(await roundTrip(socket, 'to the new one')), 'to the new one');
    assert.equal(fresh.sockets.size, 1);
    const done = await report(clients);
    assert.deepEqual(done.wrong, []);
    assert.equal(done.received, 60 * 250);
    assert.deepEqual(done.closes, {1000: 60});
    const probe = Buffer.alloc(12);
    assert.equal(
      (await roundTrip(held, probe)).length,
      12,
      'what was open before all of it still reaches the old upstream',
    );
    const counted = await metrics(one);
    assert.equal(counted.sum('websocket_connections_total', {result: 'accept'}), 62, 'counters go on');
    await shut(held);
  });

  it('of a file that is wrong changes nothing and says where', async () => {
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`}]});
    const held = await connected(`ws://127.0.0.1:${one.port}/`);
    writeFileSync(one.file, 'routes:\n  - upstraem: ws://127.0.0.1:1\n');
    one.process.signal('SIGHUP');
    await eventually('the fault is logged with its place', () => logLines(one, /sockeye\.yaml:2:\d+/).length > 0);
    assert.equal(String(await roundTrip(held, 'hi')), 'hi');
    assert.equal(String(await roundTrip(await connected(`ws://127.0.0.1:${one.port}/`), 'new')), 'new');
  });

  it('new certificates serve new sessions; sessions on the old one go on', async () => {
    const authority = new Authority();
    const folder = temporaryFolder();
    const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const install = (name: string) => {
      const issued = authority.issue(name);
      writeFileSync(certificate, readFileSync(issued.certificate));
      writeFileSync(key, readFileSync(issued.key));
    };
    install('first');
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`, tls: {certificate, key}}]});
    const ca = readFileSync(authority.ca);
    const subject = async () => {
      const socket = tlsConnect({host: '127.0.0.1', port: one.port, ca});
      await once(socket, 'secureConnect');
      const name = socket.getPeerCertificate().subject.CN;
      socket.destroy();
      return name;
    };
    assert.equal(await subject(), 'first');
    const held = await connected(`wss://127.0.0.1:${one.port}/`, {ca});
    install('second');
    one.process.signal('SIGHUP');
    await eventually('the second certificate', async () => (await subject()) === 'second');
    assert.equal(String(await roundTrip(held, 'old')), 'old');
    writeFileSync(key, 'no key at all');
    one.process.signal('SIGHUP');
    await eventually('the fault is logged', () => logLines(one, /key\.pem/).length > 0);
    assert.equal(await subject(), 'second');
    assert.equal(String(await roundTrip(held, 'old')), 'old');
  });
});

describe('drain', () => {
  it('under load: nothing new, what ends in time ends undisturbed, exit 0', async () => {
    const load = program('load_server');
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${await listening(load)}`}],
      config: {drain: {timeout: '10m'}},
    });
    const url = `ws://127.0.0.1:${one.port}/`;
    const clients = program('load_client', url, '--sessions', '60', '--rate', '50', '--seconds', '3');
    await clients.saw(/^connected$/m);
    one.process.signal('SIGTERM');
    await eventually('not ready', async () => (await one.get('/readyz')).status === 503, 3000);
    assert.equal((await one.get('/healthz')).status, 200);
    await assert.rejects(connected(url), 'nothing new is accepted');
    const done = await report(clients);
    assert.deepEqual(done.wrong, []);
    assert.equal(done.received, 60 * 150, 'sessions that end in time lose nothing');
    assert.deepEqual(done.closes, {1000: 60});
    assert.equal(await one.process.exit(10_000), 0);
    load.line('report');
    const served = await report(load);
    assert.equal(served.received, 60 * 150);
    assert.deepEqual(served.wrong, []);
  });

  it('closes 1001 what is left at its timeout, and not before', async () => {
    const server = await backend();
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${server.port}`}],
      config: {drain: {timeout: '2s'}},
    });
    const idle = await Promise.all([1, 2, 3].map(() => connected(`ws://127.0.0.1:${one.port}/`)));
    const ends = idle.map((socket) => closed(socket, 20_000));
    const late = new Lateness();
    const begun = performance.now();
    one.process.signal('SIGTERM');
    for (const end of await Promise.all(ends)) {
      assert.equal(end.code, 1001);
      assert.match(end.reason, /^server shutting down$/);
    }
    const took = performance.now() - begun;
    assert.ok(took > 1990 && took < 3500 + late.stop(), `closed after ${took} ms, drain.timeout is 2 s`);
    assert.equal(await one.process.exit(10_000), 0);
  });

  it('ends at once when nothing is open, and at the second signal', async () => {
    const server = await backend();
    const routes = [{upstream: `ws://127.0.0.1:${server.port}`}];
    const empty = await proxy({routes});
    empty.process.signal('SIGTERM');
    assert.equal(await empty.process.exit(3000), 0);
    const busy = await proxy({routes});
    const socket = await connected(`ws://127.0.0.1:${busy.port}/`);
    busy.process.signal('SIGTERM');
    await eventually('it drains', async () => (await busy.get('/readyz')).status === 503, 3000);
    const end = closed(socket);
    busy.process.signal('SIGTERM');
    await withDeadline(3000, 'the end of the session', () => end);
    await busy.process.exit(3000);
  });
});

it('a port that is taken, a file that is wrong and arguments that are wrong say so and exit', async () => {
  const {Process, sockeye} = await import('../lib/process.js');
  const server = await backend();
  const run = async (...args: string[]) => {
    const one = new Process('sockeye', sockeye(), args);
    await one.exit(10_000);
    return {code: one.child.exitCode, err: one.err, out: one.out};
  };
  const taken = await run(
    'proxy',
    '--listen',
    `127.0.0.1:${server.port}`,
    '--upstream',
    'ws://127.0.0.1:1',
    '--metrics',
    '127.0.0.1:0',
  );
  assert.equal(taken.code, 1);
  assert.match(taken.err, new RegExp(`127.0.0.1:${server.port}`));
  const file = join(temporaryFolder(), 'bad.yaml');
  writeFileSync(file, 'routes:\n  - upstream: ws://127.0.0.1:1\n    heartbeat: {interval: soon}\n');
  for (const command of [
    ['check', file],
    ['proxy', '--config', file],
  ]) {
    const wrong = await run(...command);
    assert.equal(wrong.code, 2, command.join(' '));
    assert.match(wrong.err + wrong.out, /bad\.yaml:3:\d+: /);
  }
  assert.equal((await run('proxy', '--no-such-flag')).code, 2);
  assert.equal((await run('--version')).code, 0);
});
