// H1 with peers that really freeze: SIGSTOP keeps their TCP alive and their application dead.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import type {AddressInfo} from 'node:net';
import {describe, it} from 'node:test';
import {type WebSocket, WebSocketServer} from 'ws';
import {eventually, Lateness, pause, pool} from '../lib/wait.js';
import {
  backend,
  cleanup,
  closed,
  connected,
  listening,
  logLines,
  metrics,
  near,
  program,
  proxy,
  roundTrip,
} from './support.js';

const interval = 2000,
  timeout = 1500,
  misses = 2;
const heartbeat = {interval: `${interval}ms`, timeout: `${timeout}ms`, misses};

// Frozen right behind a ping it answered: the next pings are one and two intervals later, and the second miss closes.
const contract = 2 * interval + timeout;

describe('a frozen peer', () => {
  it('a SIGSTOPped client is closed when the contract says, counted and logged once', async () => {
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`, heartbeat}]});
    const other = await connected(`ws://127.0.0.1:${one.port}/healthy`);
    const client = program('ping_client', `ws://127.0.0.1:${one.port}/frozen`);
    await client.saw(/^ping \d+$/m);
    const last = await lastPing(client);
    const late = new Lateness();
    client.signal('SIGSTOP');
    await eventually('the backend is told', () => server.closes.length === 1, contract + 5000);
    const end = server.closes[0]!;
    near(end.at - last, contract, 1000 + late.stop(), 'ms from the last answered ping to the close');
    assert.equal(end.code, 1001);
    assert.match(end.reason, /heartbeat/);
    await eventually(
      'it is counted',
      async () =>
        (await metrics(one)).sum('websocket_closes_total', {
          code: '1001',
          initiator: 'proxy',
          reason: 'heartbeat_timeout',
        }) === 1,
    );
    const counted = await metrics(one);
    assert.equal(counted.sum('websocket_pong_missed_total', {leg: 'client'}), misses);
    assert.equal(counted.sum('websocket_pong_missed_total', {leg: 'upstream'}), 0);
    assert.equal(counted.sum('websocket_connections_active'), 1, 'the healthy session lives');
    assert.equal(logLines(one, /heartbeat/i).length, 1, one.log);
    assert.equal(String(await roundTrip(other, 'still here')), 'still here');
  });

  it('a SIGSTOPped backend is closed when the contract says, counted and logged once; the client is told', async () => {
    const server = program('ping_server');
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${await listening(server)}`, heartbeat}]});
    const client = await connected(`ws://127.0.0.1:${one.port}/`);
    await server.saw(/^ping \d+$/m);
    const last = await lastPing(server);
    const late = new Lateness();
    server.signal('SIGSTOP');
    const end = await closed(client, contract + 5000);
    near(Date.now() - last, contract, 1000 + late.stop(), 'ms from the last answered ping to the close');
    assert.equal(end.code, 1001);
    assert.match(end.reason, /heartbeat/);
    const counted = await metrics(one);
    assert.equal(counted.sum('websocket_pong_missed_total', {leg: 'upstream'}), misses);
    assert.equal(counted.sum('websocket_pong_missed_total', {leg: 'client'}), 0);
    assert.equal(counted.sum('websocket_closes_total', {reason: 'heartbeat_timeout'}), 1);
    assert.equal(logLines(one, /heartbeat/i).length, 1, one.log);
  });

  it('one that thaws after the first miss lives on', async () => {
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`, heartbeat}]});
    const client = program('ping_client', `ws://127.0.0.1:${one.port}/`);
    await client.saw(/^ping \d+$/m);
    client.signal('SIGSTOP');
    await eventually(
      'the first miss',
      async () => (await metrics(one)).sum('websocket_pong_missed_total', {leg: 'client'}) === 1,
      contract,
    );
    client.signal('SIGCONT');
    await eventually(
      'it answers again',
      async () => (await one.sessions()).sessions[0]?.legs.client.misses === 0,
      5000,
    );
    await pause(contract - timeout); // long enough for a second miss in a row, had the first not been forgiven
    assert.equal((await one.sessions()).total, 1);
    assert.equal((await metrics(one)).sum('websocket_pong_missed_total', {leg: 'client'}), 1);
    assert.equal(server.closes.length, 0);
  });

  it('is not noticed on a leg whose heartbeat is off', async () => {
    const server = await backend();
    const one = await proxy({
      routes: [
        {
          upstream: `ws://127.0.0.1:${server.port}`,
          heartbeat: {...heartbeat, interval: '300ms', timeout: '300ms', client: false},
        },
      ],
    });
    const client = program('ping_client', `ws://127.0.0.1:${one.port}/`);
    await client.saw(/^connected$/m);
    client.signal('SIGSTOP');
    await eventually(
      "the other leg's pings",
      async () => (await metrics(one)).sum('websocket_ping_rtt_seconds_count', {leg: 'upstream'}) >= 5,
    );
    const counted = await metrics(one);
    assert.equal(counted.sum('websocket_pong_missed_total'), 0);
    assert.equal(counted.sum('websocket_connections_active'), 1);
  });
});

describe('a busy peer that answers no ping', () => {
  // Three seconds without a byte make a peer silent here.
  const quick = {interval: '200ms', timeout: '1s', misses: 3};

  // Speaks until told otherwise, and answers no ping.
  const talking = async (route: object) => {
    const server = await backend();
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${server.port}`, heartbeat: route}]});
    const client = await connected(`ws://127.0.0.1:${one.port}/`, {autoPong: false});
    const timer = setInterval(() => client.send('busy'), 50);
    cleanup(() => clearInterval(timer));
    return {server, one, client, silence: () => clearInterval(timer)};
  };

  it('is alive: its pongs are late, it is not closed, and nobody says otherwise', async () => {
    const {server, one, client, silence} = await talking({...quick, upstream: false});
    const counter = async (name: string) => (await metrics(one)).sum(name, {leg: 'client'});
    await eventually(
      'more late pongs than misses',
      async () => {
        return (await counter('websocket_pong_late_total')) > quick.misses;
      },
      20_000,
    );
    assert.ok((await counter('websocket_pong_missed_total')) > quick.misses, 'missed all the same');
    assert.equal(await counter('websocket_heartbeat_timeouts_total'), 0);
    const [row] = (await one.sessions()).sessions;
    assert.equal(row?.legs.client.silent, false);
    assert.ok((row?.legs.client.late_total ?? 0) > quick.misses);
    assert.equal(server.closes.length, 0);
    assert.equal(logLines(one, /heartbeat|dead|silent/i).length, 0, one.log);
    // Then it is silent indeed, and told so.
    silence();
    const end = await closed(client, 20_000);
    assert.equal(end.code, 1001);
    assert.match(end.reason, /^heartbeat timeout: nothing from the client for \d/);
    assert.equal(await counter('websocket_heartbeat_timeouts_total'), 1);
    const last = (await one.sessions()).ended[0]?.close;
    assert.equal(last?.initiator, 'proxy');
    assert.equal(last?.silent?.leg, 'client');
  });

  it('is alive on the other leg too', async () => {
    const server = new WebSocketServer({host: '127.0.0.1', port: 0, autoPong: false});
    cleanup(() => server.close());
    server.on('connection', (socket) => {
      const timer = setInterval(() => socket.send('busy'), 50);
      socket.on('close', () => clearInterval(timer));
      cleanup(() => socket.terminate());
    });
    await once(server, 'listening');
    const {port} = server.address() as AddressInfo;
    const one = await proxy({routes: [{upstream: `ws://127.0.0.1:${port}`, heartbeat: {...quick, client: false}}]});
    const client = await connected(`ws://127.0.0.1:${one.port}/`);
    const counter = async (name: string) => (await metrics(one)).sum(name, {leg: 'upstream'});
    await eventually(
      'more late pongs than misses',
      async () => {
        return (await counter('websocket_pong_late_total')) > quick.misses;
      },
      20_000,
    );
    assert.equal(await counter('websocket_heartbeat_timeouts_total'), 0);
    assert.equal(client.readyState, client.OPEN);
  });

  it('is only reported once it is silent, where the route says so', async () => {
    const {server, one, client, silence} = await talking({...quick, upstream: false, on_dead: 'report'});
    silence();
    const leg = async () => (await one.sessions()).sessions[0]?.legs.client;
    await eventually('a miss more than allowed', async () => ((await leg())?.misses ?? 0) > quick.misses, 20_000);
    assert.equal((await leg())?.silent, true);
    assert.equal((await metrics(one)).sum('websocket_heartbeat_timeouts_total', {leg: 'client'}), 1);
    assert.equal(logLines(one, /goes on: heartbeat timeout: nothing from the client/).length, 1, one.log);
    assert.equal(server.closes.length, 0);
    assert.equal(String(await roundTrip(client, 'still here')), 'still here');
    assert.equal((await leg())?.silent, false);
  });
});

it('healthy idle sessions: no miss, no log line, and pings spread evenly', async () => {
  const count = process.env.SOCKEYE_E2E_FULL ? 1000 : 200;
  const server = await backend();
  const one = await proxy({
    routes: [
      {
        upstream: `ws://127.0.0.1:${server.port}`,
        heartbeat: {interval: '2s', timeout: '4s'},
        limits: {handshake_timeout: '1m'},
      },
    ],
  });
  const before = one.log.length;
  const pings: number[] = [];
  const sockets: WebSocket[] = [];
  cleanup(() => sockets.forEach((socket) => socket.terminate()));
  await pool(
    40,
    Array.from({length: count}, () => async () => {
      const socket = await connected(`ws://127.0.0.1:${one.port}/`);
      socket.on('ping', () => pings.push(Date.now()));
      sockets.push(socket);
    }),
  );
  const late = new Lateness();
  const begun = Date.now();
  await pause(10_000); // what is tested is that nothing happens for this long
  const counted = await metrics(one);
  assert.equal(counted.sum('websocket_connections_active'), count);
  assert.equal(counted.sum('websocket_pong_missed_total'), 0);
  assert.equal(one.log.slice(before), '');
  assert.ok(pings.length >= count * 4, `${pings.length} pings`);
  // In each tenth of a second there are about as many pings as in any other.
  const slots = new Array<number>(20).fill(0);
  for (const at of pings) if (at >= begun) slots[Math.floor((at % 2000) / 100)]! += 1;
  const even = slots.reduce((sum, n) => sum + n, 0) / slots.length;
  // What came while this process stood still is read in one go.
  const stood = 1 + late.stop() / 100;
  assert.ok(
    Math.max(...slots) < even * (1 + stood) + 5,
    `pings per tenth of a second: ${slots.join(' ')}, ${stood} read at once`,
  );
});

it('a busy peer is pinged half as often, and is pinged still', async () => {
  const server = await backend();
  const one = await proxy({
    routes: [{upstream: `ws://127.0.0.1:${server.port}`, heartbeat: {interval: '400ms', timeout: '4s'}}],
  });
  const [idle, busy] = [
    await connected(`ws://127.0.0.1:${one.port}/idle`),
    await connected(`ws://127.0.0.1:${one.port}/busy`),
  ];
  const count = {idle: 0, busy: 0};
  idle.on('ping', () => ++count.idle);
  busy.on('ping', () => ++count.busy);
  const timer = setInterval(() => busy.send('busy'), 40);
  try {
    await eventually('20 pings of the idle one', () => count.idle >= 20, 60_000);
  } finally {
    clearInterval(timer);
  }
  assert.ok(count.busy >= 6 && count.busy <= 14, `${count.busy} pings of the busy one, ${count.idle} of the idle one`);
});

type Child = ReturnType<typeof program>;
// The time of the newest ping, read right after it came.
async function lastPing(child: Child): Promise<number> {
  const seen = child.out.match(/^ping \d+$/gm)!.length;
  return eventually(
    'the next ping',
    () => {
      const all = child.out.match(/^ping \d+$/gm)!;
      return all.length > seen ? Number(all.at(-1)!.split(' ')[1]) : undefined;
    },
    interval * 3,
    5,
  );
}
