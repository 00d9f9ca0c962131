// /metrics, /sessions and their neighbours, compared with what really happened; Prometheus and promtool as judges.
import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {spawnSync} from 'node:child_process';
import {describe, it} from 'node:test';
import type {WebSocket} from 'ws';
import {freePorts, temporaryFolder} from '../lib/process.js';
import {eventually} from '../lib/wait.js';
import {backend, child, connected, metrics, proxy, quiet, roundTrip, shut} from './support.js';

const seeds: [string, string][] = [
  ['websocket_connections_active', 'gauge'],
  ['websocket_connections_total', 'counter'],
  ['websocket_message_duration_seconds', 'histogram'],
  ['websocket_handshake_duration_seconds', 'histogram'],
  ['websocket_buffered_amount_bytes', 'gauge'],
  ['websocket_pong_missed_total', 'counter'],
];

describe('counters', () => {
  it('move while the connection lives, and say what happened', async () => {
    const server = await backend();
    const one = await proxy({routes: [{name: 'calls', upstream: `ws://127.0.0.1:${server.port}`}]});
    const socket = await connected(`ws://127.0.0.1:${one.port}/room`);
    for (const size of [0, 10, 1000, 70_000]) await roundTrip(socket, Buffer.alloc(size));
    await roundTrip(socket, 'text');
    socket.ping('app');
    await eventually(
      "the application's ping is counted",
      async () => (await metrics(one)).sum('websocket_messages_total', {type: 'pong', direction: 's2c'}) === 1,
    );
    const live = await metrics(one);
    const route = 'calls';
    assert.equal(live.sum('websocket_connections_active', {route}), 1);
    assert.equal(live.sum('websocket_connections_total', {route, result: 'accept'}), 1);
    assert.equal(live.sum('websocket_connections_total', {route, result: 'close'}), 0);
    for (const direction of ['c2s', 's2c']) {
      assert.equal(live.sum('websocket_messages_total', {route, direction, type: 'binary'}), 4);
      assert.equal(live.sum('websocket_messages_total', {route, direction, type: 'text'}), 1);
      assert.equal(live.sum('websocket_message_bytes_total', {route, direction}), 71_014);
      assert.equal(live.sum('websocket_message_size_bytes_count', {route, direction}), 5);
      assert.equal(live.sum('websocket_message_size_bytes_sum', {route, direction}), 71_014);
    }
    assert.equal(live.sum('websocket_messages_total', {route, direction: 'c2s', type: 'ping'}), 1);
    assert.equal(live.sum('websocket_message_duration_seconds_count', {route}), 5);
    assert.ok(live.sum('websocket_message_duration_seconds_sum', {route}) < 5);
    assert.equal(live.sum('websocket_handshake_duration_seconds_count', {route}), 1);

    const {sessions, total} = await one.sessions();
    assert.equal(total, 1);
    const row = sessions[0];
    assert.match(row.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.equal(row.route, route);
    assert.equal(row.state, 'open');
    assert.equal(row.client, '127.0.0.1');
    assert.equal(row.target, '/room');
    assert.deepEqual(row.messages, {c2s: 5, s2c: 5});
    assert.deepEqual(row.bytes, {c2s: 71_014, s2c: 71_014});
    const detail = JSON.parse((await one.get(`/sessions/${row.id}`)).body);
    const data = detail.recorder.filter((entry: {type: string}) => ['text', 'binary'].includes(entry.type));
    assert.deepEqual(
      data.map((entry: {direction: string; length: number}) => [entry.direction, entry.length]),
      [0, 10, 1000, 70_000, 4].flatMap((length) => [
        ['c2s', length],
        ['s2c', length],
      ]),
    );

    await shut(socket, 4000);
    const done = await quiet(one);
    assert.equal(done.sum('websocket_connections_total', {route, result: 'close'}), 1);
    assert.equal(done.sum('websocket_closes_total', {route, code: '4000', initiator: 'client', reason: 'normal'}), 1);
    assert.equal(done.sum('websocket_session_duration_seconds_count', {route}), 1);
    const after = await one.sessions();
    assert.equal(after.total, 0);
    assert.equal(after.ended[0].id, row.id);
    assert.deepEqual(
      [after.ended[0].close.code, after.ended[0].close.initiator, after.ended[0].close.why],
      [4000, 'client', 'normal'],
    );
    assert.equal(one.log.split('\n').filter((line) => /warn|error/i.test(line)).length, 0, one.log);
  });

  it('tell who closed, with what, and why', async () => {
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`}]});
    const url = `ws://127.0.0.1:${one.port}/`;
    const open = async (): Promise<[WebSocket, WebSocket]> => {
      const known = new Set(server.sockets);
      const socket = await connected(url);
      const mine = await eventually("the backend's end", () => [...server.sockets].find((each) => !known.has(each)));
      return [socket, mine];
    };
    const [, mine] = await open();
    mine.close(4400, 'enough');
    await quiet(one);
    const [vanishing] = await open();
    vanishing.terminate();
    await quiet(one);
    const [, dying] = await open();
    dying.terminate();
    await quiet(one);
    const [wrong] = await open();
    (wrong as unknown as {_socket: import('node:net').Socket})._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));
    const counted = await quiet(one);
    const closes = (labels: Record<string, string>) => counted.sum('websocket_closes_total', labels);
    assert.equal(closes({code: '4400', initiator: 'server', reason: 'normal'}), 1);
    assert.equal(closes({code: '1006', initiator: 'client', reason: 'reset'}), 1);
    assert.equal(closes({code: '1006', initiator: 'server', reason: 'reset'}), 1);
    assert.equal(closes({code: '1002', initiator: 'proxy', reason: 'protocol_error'}), 1);
    assert.equal(closes({}), 4);
    assert.equal(counted.sum('websocket_anomalies_total', {kind: 'reserved_opcode'}), 1);
  });

  it('a client that comes back after an abnormal end is a reconnect, after a normal one it is not', async () => {
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`}]});
    const url = `ws://127.0.0.1:${one.port}/stream`;
    const first = await connected(url);
    const id = (await one.sessions()).sessions[0].id;
    first.terminate();
    await quiet(one);
    const second = await connected(url);
    const [row] = (await one.sessions()).sessions;
    assert.deepEqual([row.reconnect_of, row.reconnect_basis], [id, 'guess'], 'nothing but its address tells it');
    await shut(second);
    await quiet(one);
    await connected(url);
    const [last] = (await one.sessions()).sessions;
    assert.deepEqual([last.reconnect_of, last.reconnect_basis], [null, null]);
    const counted = await metrics(one);
    assert.equal(counted.sum('websocket_reconnects_total'), 1);
    assert.equal(counted.sum('websocket_reconnects_total', {basis: 'guess'}), 1);
  });

  it('of a fleet behind one address none is a reconnect, unless a route says what identifies a client', async () => {
    const server = await backend();
    const upstream = `ws://127.0.0.1:${server.port}`;
    const one = await proxy({
      routes: [
        {name: 'told', match: {path: '/told'}, upstream, client_id: ['header.x-device-id']},
        {name: 'untold', upstream},
      ],
    });
    const fleet = (path: string) =>
      Promise.all(
        Array.from({length: 6}, (_, n) =>
          connected(`ws://127.0.0.1:${one.port}${path}`, {headers: {'X-Device-Id': `device-${n}-secret`}}),
        ),
      );
    const ids: (string | null)[] = [];
    for (const path of ['/told', '/untold']) {
      for (const each of await fleet(path)) each.terminate();
      await quiet(one);
      const back = await fleet(path);
      ids.push(...(await one.sessions()).sessions.map((row: {reconnect_basis: string}) => row.reconnect_basis));
      for (const each of back) await shut(each);
    }
    assert.deepEqual(ids, [...Array<string>(6).fill('client_id'), ...Array<null>(6).fill(null)]);
    const counted = await metrics(one);
    assert.equal(counted.sum('websocket_reconnects_total', {route: 'told', basis: 'client_id'}), 6);
    assert.equal(counted.sum('websocket_reconnects_total', {route: 'told'}), 6);
    assert.equal(counted.sum('websocket_reconnects_total', {route: 'untold'}), 0);
    assert.doesNotMatch(JSON.stringify(await one.sessions()), /secret/);
  });

  it("time the round trips of our pings on both legs, and of a peer's own heartbeat", async () => {
    const server = await backend();
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${server.port}`, heartbeat: {interval: '200ms', timeout: '2s'}}],
    });
    const socket = await connected(`ws://127.0.0.1:${one.port}/`);
    const timer = setInterval(() => socket.pong('beat'), 300);
    try {
      const row = await eventually('figures of both legs', async () => {
        const each = (await one.sessions()).sessions[0];
        return each.legs.client.rtt_seconds !== null &&
          each.legs.upstream.rtt_seconds !== null &&
          each.legs.client.peer_ping_interval_seconds !== null
          ? each
          : undefined;
      });
      assert.ok(row.legs.client.rtt_seconds < 1 && row.legs.upstream.rtt_seconds < 1);
      assert.ok(
        Math.abs(row.legs.client.peer_ping_interval_seconds - 0.3) < 0.2,
        `${row.legs.client.peer_ping_interval_seconds}`,
      );
      const counted = await metrics(one);
      for (const leg of ['client', 'upstream'])
        assert.ok(counted.sum('websocket_ping_rtt_seconds_count', {leg}) > 0, leg);
    } finally {
      clearInterval(timer);
    }
  });
});

describe('the port', () => {
  it('answers /healthz, /readyz, OpenMetrics by Accept, and nothing of it on the traffic port', async () => {
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`}]});
    assert.deepEqual(
      [(await one.get('/healthz')).status, (await one.get('/readyz')).status, (await one.get('/nothing')).status],
      [200, 200, 404],
    );
    const plain = await one.get('/metrics');
    assert.match(plain.type, /^text\/plain; version=0\.0\.4/);
    const open = await one.get('/metrics', 'application/openmetrics-text; version=1.0.0');
    assert.match(open.type, /^application\/openmetrics-text; version=1\.0\.0/);
    assert.ok(open.body.endsWith('# EOF\n'));
    const traffic = await fetch(`http://127.0.0.1:${one.port}/metrics`);
    assert.notEqual(traffic.status, 200);
    assert.doesNotMatch(await traffic.text(), /websocket_connections/);
  });

  it('promtool finds nothing to complain about, before traffic and with it', async () => {
    const server = await backend();
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${server.port}`}],
      config: {export: {otlp: {endpoint: 'http://127.0.0.1:9'}}},
    });
    const check = async () => {
      const input = (await one.get('/metrics')).body;
      const result = spawnSync('promtool', ['check', 'metrics'], {input, encoding: 'utf8'});
      assert.equal(result.status, 0, result.stderr + result.stdout);
      assert.equal(result.stderr + result.stdout, '');
    };
    await check();
    const socket = await connected(`ws://127.0.0.1:${one.port}/`);
    await roundTrip(socket, 'hi');
    await shut(socket);
    await quiet(one);
    await check();
    const now = await metrics(one);
    for (const [name, type] of seeds) assert.equal(now.types.get(name), type, name);
  });

  it('Prometheus scrapes it: the six names with their types and values', async () => {
    const server = await backend();
    const one = await proxy({routes: [{name: 'calls', upstream: `ws://127.0.0.1:${server.port}`}]});
    const folder = temporaryFolder();
    const [port] = await freePorts(1);
    writeFileSync(
      join(folder, 'prometheus.yml'),
      [
        'global: {scrape_interval: 500ms}',
        'scrape_configs:',
        '  - job_name: sockeye',
        `    static_configs: [{targets: ["127.0.0.1:${one.metricsPort}"]}]`,
        '',
      ].join('\n'),
    );
    child('prometheus', 'prometheus', [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=warn',
      '--web.console.libraries=/nonexistent',
      '--web.console.templates=/nonexistent',
    ]);
    const api = async (path: string) =>
      JSON.parse(await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).text()).data;
    const sockets = await Promise.all([1, 2, 3].map(() => connected(`ws://127.0.0.1:${one.port}/`)));
    for (const socket of sockets) await roundTrip(socket, 'hello');
    await eventually(
      'a scrape with three sessions',
      async () => {
        const {result} = await api('query?query=websocket_connections_active');
        return result[0]?.value[1] === '3' && result[0].metric.route === 'calls';
      },
      30_000,
      200,
    );
    const targets = (await api('targets')).activeTargets;
    assert.equal(targets[0].health, 'up', targets[0].lastError);
    const metadata = await api('targets/metadata');
    for (const [name, type] of seeds) {
      // Of counters in OpenMetrics the family's name has no _total.
      const found = metadata.find((each: {metric: string}) => each.metric === name || `${each.metric}_total` === name);
      assert.equal(found?.type, type, name);
    }
    const value = async (query: string) =>
      Number((await api(`query?query=${encodeURIComponent(query)}`)).result[0]?.value[1]);
    assert.equal(await value('websocket_connections_total{result="accept"}'), 3);
    await eventually('the messages', async () => (await value('sum(websocket_messages_total{type="text"})')) === 6);
    assert.equal(await value('sum(websocket_message_duration_seconds_count)'), 3);
    assert.equal(await value('sum(websocket_handshake_duration_seconds_count)'), 3);
    assert.equal(await value('sum(websocket_pong_missed_total)'), 0);
    for (const socket of sockets) await shut(socket);
    await eventually('a scrape without sessions', async () => (await value('websocket_connections_active')) === 0);
  });
});
