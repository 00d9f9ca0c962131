// What proxies report is what the console shows, within a second or two: real proxies, real clients, one that freezes,
// a console that restarts and a proxy that dies.
import assert from 'node:assert/strict';
import {once} from 'node:events';
import {it} from 'node:test';
import type {WebSocket} from 'ws';
import {eventually, pause, withDeadline} from '../lib/wait.js';
import {type Console, console_, type Json} from './console.js';
import {backend, connected, program, proxy, roundTrip, shut} from './support.js';

const soon = 3000; // ms; it is to be a second and the look after it, and the machine is a busy one
const reporting = (to: Console, service: string, more = {}) => ({
  service,
  export: {console: {endpoint: to.url}},
  ...more,
});
const sessionsOf = async (one: Console, query: string): Promise<Json[]> =>
  (await one.api(`/sessions?${query}`)).sessions;
// The one session of that query, once `fits` is true of it.
const session = (one: Console, query: string, fits: (row: Json) => unknown, what: string, ms = soon): Promise<Json> =>
  eventually(
    `${query}: ${what}`,
    async () => {
      const rows = await sessionsOf(one, query);
      return rows.length === 1 && fits(rows[0]) ? rows[0] : undefined;
    },
    ms,
    100,
  );

// What a page sees: the last message of each type.
class Looking {
  readonly last: Record<string, Json> = {};
  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      this.last[message.type] = message;
    });
  }
  static async at(one: Console): Promise<Looking> {
    return new Looking(
      await connected(`${one.url.replace('http', 'ws')}/api/v1/live`, {headers: {origin: one.url}}, [
        'sockeye-page.v1',
      ]),
    );
  }
  ask(what: Json): void {
    this.socket.send(JSON.stringify(what));
  }
  saw(type: string, fits: (message: Json) => unknown, ms = soon): Promise<Json> {
    return eventually(
      `the page hears of ${type}: ${fits}`,
      () => (this.last[type] && fits(this.last[type]) ? this.last[type] : undefined),
      ms,
    );
  }
  end(): Promise<unknown> {
    return shut(this.socket);
  }
}

it('sessions of two proxies: opened, counted, looked at, ended', async () => {
  const one = await console_(),
    server = await backend({protocols: ['chat']});
  const proxies = await Promise.all(
    ['left', 'right'].map((service) =>
      proxy({
        config: reporting(one, service),
        routes: [{name: `route-${service}`, upstream: `ws://127.0.0.1:${server.port}`}],
      }),
    ),
  );
  const page = await Looking.at(one);
  page.ask({fleet: true, sessions: {sort: 'opened', limit: 10}});
  await page.saw('fleet', (fleet) => fleet.proxies.filter((each: Json) => each.connected).length === 2, 10_000);

  const sockets = await Promise.all(
    proxies.flatMap((each) =>
      [1, 2, 3].map((i) => connected(`ws://127.0.0.1:${each.port}/room/${i}?token=secret`, {}, ['chat'])),
    ),
  );
  const listed = await page.saw('sessions', (list) => list.total === 6 && list.sessions.length === 6);
  assert.ok(
    listed.sessions.every(
      (row: Json) =>
        row.live && row.state === 'open' && row.subprotocol !== undefined && !JSON.stringify(row).includes('secret'),
    ),
  );
  assert.deepEqual([...new Set(listed.sessions.map((row: Json) => row.service))].sort(), ['left', 'right']);
  const rows = await eventually(
    'the API has them, too',
    async () => {
      const all = await sessionsOf(one, 'state=open');
      return all.length === 6 ? all : undefined;
    },
    soon,
    100,
  );
  assert.equal((await sessionsOf(one, 'state=open&route=route-left')).length, 3);
  assert.equal((await sessionsOf(one, `instance=${rows[0].instance}`)).length, 3);

  // Messages, counted exactly.
  const talker = sockets[0]!;
  for (let i = 0; i < 20; ++i) await roundTrip(talker, Buffer.alloc(100 + i));
  const row = await session(
    one,
    'route=route-left&text=%2Froom%2F1',
    (each) => each.messages[0] === 20 && each.messages[1] === 20,
    '20 messages each way',
  );
  assert.deepEqual(row.bytes, [2190, 2190]);
  const summary = (
    await page.saw('fleet', (fleet) =>
      fleet.routes
        .find((each: Json) => each.route === 'route-left')
        ?.messages_per_second.some((rate: number) => rate > 0),
    )
  ).routes.find((each: Json) => each.route === 'route-left');
  assert.equal(summary.active, 3);

  // A page that looks at one session gets its flight recorder.
  page.ask({session: row.id});
  const detail = await page.saw('session', (each) => each.recorder.length >= 20);
  assert.deepEqual(
    [detail.session.id, detail.recorder.filter((each: Json) => each.side === 0 && each.type === 'binary').length > 5],
    [row.id, true],
  );

  // Ends: by the client with a code and a reason, by a broken connection.
  talker.close(4321, 'enough <b>');
  sockets[1]!.terminate();
  const closed = await session(one, 'route=route-left&text=%2Froom%2F1', (each) => each.state === 'ended', 'ended');
  assert.deepEqual(
    [closed.close_code, closed.end_reason, closed.initiator, closed.close_reason, closed.live],
    [4321, 'normal', 'client', 'enough <b>', false],
  );
  const broken = await session(one, 'route=route-left&state=ended&end_reason=reset', () => true, 'reset');
  assert.equal(broken.initiator, 'client');
  const kept = await one.api(`/sessions/${broken.id}`);
  assert.equal(kept.session.end_reason, 'reset');
  // A code of the application's own has something to tell, too.
  assert.deepEqual((await sessionsOf(one, 'abnormal=true')).map((each) => each.abnormal_why).sort(), [
    '4321 application error',
    'reset',
  ]);
  assert.deepEqual(
    (await sessionsOf(one, 'state=open')).map((each) => [each.abnormal, each.abnormal_why, each.last_heard]),
    Array.from({length: 4}, () => [false, '', false]),
  );
  const closes = await eventually(
    'both are in the figures',
    async () => {
      const {closes: list} = await one.api(`/closes?from_ms=${Date.now() - 600_000}&to_ms=${Date.now() + 60_000}`);
      return list.reduce((sum: number, each: Json) => sum + each.count, 0) === 2 ? list : undefined;
    },
    20_000,
    100,
  );
  assert.deepEqual(
    closes.map((each: Json) => [each.route, each.end_reason, each.code, each.abnormal_why]).sort(),
    [
      ['route-left', 'normal', 4321, '4321 application error'],
      ['route-left', 'reset', 1006, 'reset'],
    ].sort(),
  );
  const {instance} = row;
  for (const [condition, expected] of [
    [`instance=${instance}`, 2],
    ['route=route-left', 2],
    ['instance=another', 0],
    ['route=another', 0],
  ] as const) {
    const {closes: list} = await one.api(`/closes?from_ms=${Date.now() - 600_000}&${condition}`);
    assert.equal(
      list.reduce((sum: number, each: Json) => sum + each.count, 0),
      expected,
      condition,
    );
  }
  await page.end();
});

it('a client that froze: its misses show, then why it was closed and what came before', async () => {
  const one = await console_(),
    server = await backend();
  const between = await proxy({
    config: reporting(one, 'bridge', {export: {console: {endpoint: one.url}, otlp: {endpoint: one.otlp}}}),
    routes: [
      {
        name: 'phones',
        upstream: `ws://127.0.0.1:${server.port}`,
        heartbeat: {interval: '1500ms', timeout: '700ms', misses: 3},
      },
    ],
  });
  const healthy = await connected(`ws://127.0.0.1:${between.port}/healthy`),
    client = program('ping_client', `ws://127.0.0.1:${between.port}/frozen`);
  await client.saw(/^ping \d+$/m);
  client.signal('SIGSTOP');
  const page = await Looking.at(one);
  page.ask({sessions: {trouble: true, sort: 'misses', limit: 5}});
  const dying = await page.saw('sessions', (list) => list.matched === 1 && list.sessions[0].misses_now[0] >= 1, 10_000);
  const {id} = dying.sessions[0];
  assert.equal(dying.sessions[0].client, '127.0.0.1');
  const ended = await session(
    one,
    'abnormal=true',
    (each) => each.id === id && each.state === 'ended',
    'ended',
    15_000,
  );
  assert.deepEqual([ended.end_reason, ended.initiator, ended.misses], ['heartbeat_timeout', 'proxy', 3]);
  const detail = await one.api(`/sessions/${id}`);
  const pings = detail.recorder.filter((each: Json) => each.type === 'ping' && each.injected && each.side === 1);
  assert.ok(pings.length >= 3, JSON.stringify(detail.recorder));
  assert.equal((await sessionsOf(one, 'state=open')).length, 1);
  await page.saw('sessions', (list) => list.matched === 0);
  assert.equal(String(await roundTrip(healthy, 'hello')), 'hello');
  await eventually(
    'its points are kept',
    async () => (await one.api(`/sessions/${id}/points`)).points.length > 0,
    15_000,
    100,
  );
  await page.end();
});

it('a console that is killed and comes back gets a resync, and keeps what it had', async () => {
  const one = await console_(),
    server = await backend();
  const proxies = await Promise.all(
    ['a', 'b'].map((service) =>
      proxy({config: reporting(one, service), routes: [{name: service, upstream: `ws://127.0.0.1:${server.port}`}]}),
    ),
  );
  const before = await Promise.all(proxies.map((each) => connected(`ws://127.0.0.1:${each.port}/before`)));
  const gone = await connected(`ws://127.0.0.1:${proxies[0]!.port}/gone`),
    away = await connected(`ws://127.0.0.1:${proxies[1]!.port}/away`);
  await eventually('four sessions', async () => (await sessionsOf(one, 'state=open')).length === 4, 10_000, 100);
  await shut(gone, 4001);
  await session(one, 'text=%2Fgone', (each) => each.state === 'ended', 'ended');
  await eventually('it is stored', async () => (await one.api('/status')).store.sessions >= 1, 10_000, 100);
  await one.kill();
  await shut(away, 4002);
  const during = await connected(`ws://127.0.0.1:${proxies[0]!.port}/during`);
  await roundTrip(during, 'x');
  await one.start();
  await eventually(
    'both proxies are back',
    async () => (await one.api('/status')).proxies.filter((each: Json) => each.connected).length === 2,
    40_000,
    100,
  );
  await eventually(
    'the open ones are live',
    async () => {
      const rows = await sessionsOf(one, 'state=open');
      return rows.length === 3 && rows.every((row) => row.live);
    },
    10_000,
    100,
  );
  assert.equal((await session(one, 'text=%2Fduring', () => true, 'opened while it was away')).messages[0], 1);
  assert.equal(
    (await session(one, 'text=%2Faway', (each) => each.state === 'ended', 'ended while it was away')).close_code,
    4002,
  );
  assert.equal((await session(one, 'text=%2Fgone', () => true, 'ended before')).close_code, 4001);
  assert.equal((await sessionsOf(one, 'limit=100')).length, 5, 'none twice');
  for (const socket of [...before, during]) assert.equal(String(await roundTrip(socket, 'still')), 'still');
});

it('the sessions of a proxy that was killed are not shown as live, nor as ended', async () => {
  const one = await console_(),
    server = await backend();
  const between = await proxy({
    config: reporting(one, 'doomed'),
    routes: [{name: 'doomed', upstream: `ws://127.0.0.1:${server.port}`}],
  });
  const socket = await connected(`ws://127.0.0.1:${between.port}/`);
  const page = await Looking.at(one);
  page.ask({fleet: true, sessions: {limit: 10}});
  await page.saw('sessions', (list) => list.total === 1 && list.sessions[0].live);
  const end = withDeadline(5000, 'end of the connection', () => once(socket, 'close'));
  between.process.signal('SIGKILL');
  await end;
  await page.saw('fleet', (fleet) => fleet.proxies.length === 1 && !fleet.proxies[0].connected);
  const row = await session(one, 'route=doomed', (each) => !each.live, 'not live');
  assert.deepEqual([row.state, row.end_reason, row.ended_ms, row.last_heard], ['open', null, null, true]);
  const {unheard, proxies} = await page.saw('fleet', (fleet) => fleet.unheard);
  assert.deepEqual([unheard.sessions, unheard.of, proxies[0].state], [1, 1, 'unheard']);
  // It is as it was then, and stays so.
  assert.deepEqual([row.heard_ms, unheard.since_ms], [proxies[0].heard_ms, proxies[0].heard_ms]);
  const later = await page.saw('sessions', (list) => list.now_ms > unheard.since_ms + 2000, 10_000);
  assert.equal(later.sessions[0].heard_ms, row.heard_ms);
  // A console that is started again knows no more, and says so.
  await one.kill();
  await one.start();
  const again = await Looking.at(one);
  again.ask({fleet: true});
  const known = await again.saw('fleet', (fleet) => fleet.unheard, 10_000);
  assert.deepEqual([known.unheard.sessions, known.unheard.of, known.proxies[0].state], [1, 1, 'unheard']);
  assert.equal((await session(one, 'route=doomed', () => true, 'known')).last_heard, true);
  await again.end();
});

it('a proxy that hangs is unheard, and goes on where it stopped', async () => {
  const one = await console_(),
    server = await backend();
  const between = await proxy({
    config: reporting(one, 'frozen'),
    routes: [{name: 'frozen', upstream: `ws://127.0.0.1:${server.port}`}],
  });
  const socket = await connected(`ws://127.0.0.1:${between.port}/`);
  const page = await Looking.at(one);
  page.ask({fleet: true, sessions: {limit: 10}});
  await page.saw('sessions', (list) => list.total === 1 && list.sessions[0].live);
  between.process.signal('SIGSTOP');
  try {
    const {unheard} = await page.saw('fleet', (fleet) => fleet.unheard, 20_000);
    assert.deepEqual([unheard.sessions, unheard.of], [1, 1]);
    const row = await session(one, 'route=frozen', (each) => each.last_heard, 'last heard');
    assert.deepEqual([row.state, row.live, row.heard_ms], ['open', false, unheard.since_ms]);
  } finally {
    between.process.signal('SIGCONT');
  }
  await page.saw('fleet', (fleet) => !fleet.unheard && fleet.proxies[0].state === 'connected', 10_000);
  await page.saw('sessions', (list) => list.sessions[0].live && !list.sessions[0].last_heard);
  assert.equal(String(await roundTrip(socket, 'still')), 'still');
  const {coverage} = await eventually(
    'the gap is shown',
    async () => {
      const answer = await one.api(`/fleet?from_ms=${Date.now() - 600_000}&to_ms=${Date.now() + 60_000}`);
      return answer.coverage.some((each: Json) => each.what === 'proxy') ? answer : undefined;
    },
    10_000,
    100,
  );
  assert.deepEqual(
    coverage.map((each: Json) => [each.what, each.missing_seconds > 4]),
    [
      ['before', true], // this console was not there ten minutes ago
      ['proxy', true],
    ],
  );
  await page.end();
});

it('a proxy that is told to stop has drained, and nothing is lost', async () => {
  const one = await console_(),
    server = await backend();
  const between = await proxy({
    config: reporting(one, 'leaving', {drain: {timeout: '1s'}}),
    routes: [{name: 'leaving', upstream: `ws://127.0.0.1:${server.port}`}],
  });
  const socket = await connected(`ws://127.0.0.1:${between.port}/`);
  const page = await Looking.at(one);
  page.ask({fleet: true});
  await session(one, 'route=leaving', (each) => each.live, 'live');
  const end = withDeadline(30_000, 'end of the connection', () => once(socket, 'close'));
  between.process.signal('SIGTERM');
  await end;
  const {proxies, unheard} = await page.saw('fleet', (fleet) => fleet.proxies[0]?.state === 'drained', 20_000);
  assert.deepEqual([proxies[0].sessions, unheard], [0, null]);
  const row = await session(one, 'route=leaving', (each) => each.state === 'ended', 'ended', 10_000);
  assert.deepEqual([row.end_reason, row.initiator, row.abnormal], ['drain', 'proxy', false]);
  assert.deepEqual(await sessionsOf(one, 'abnormal=true'), []);
  await page.end();
});

it('what was counted while the console was away is made good, and said to be', async () => {
  const one = await console_(),
    server = await backend();
  const between = await proxy({
    config: reporting(one, 'counting'),
    routes: [{name: 'counting', upstream: `ws://127.0.0.1:${server.port}`}],
  });
  const socket = await connected(`ws://127.0.0.1:${between.port}/`);
  const from = Date.now() - 600_000;
  const fleet = async (): Promise<Json> =>
    one.api(`/fleet?from_ms=${from}&to_ms=${Date.now() + 60_000}&step_seconds=10`);
  const sum = (answer: Json, what: (point: Json) => number): number =>
    answer.points.reduce((all: number, point: Json) => all + what(point), 0);
  for (let i = 0; i < 10; ++i) await roundTrip(socket, 'before');
  await eventually('they are counted', async () => sum(await fleet(), (each) => each.messages[0]) === 10, 30_000, 200);
  await one.kill();
  for (let i = 0; i < 25; ++i) await roundTrip(socket, 'during');
  await shut(await connected(`ws://127.0.0.1:${between.port}/`));
  await pause(2000); // an outage: shorter ones are none
  await one.start();
  await eventually(
    'the proxy is back',
    async () => (await one.api('/status')).proxies.some((each: Json) => each.connected),
    40_000,
    100,
  );
  for (let i = 0; i < 5; ++i) await roundTrip(socket, 'after');
  const answer = await eventually(
    'all of it is counted',
    async () => {
      const now = await fleet();
      return sum(now, (each) => each.messages[0]) >= 40 ? now : undefined;
    },
    30_000,
    200,
  );
  assert.deepEqual(
    [sum(answer, (each) => each.messages[0]), sum(answer, (each) => each.opened), sum(answer, (each) => each.ended)],
    [40, 2, 1],
  );
  assert.ok(
    answer.coverage.some((each: Json) => each.what === 'console' && each.missing_seconds > 0),
    JSON.stringify(answer.coverage),
  );
});

it('a page that vanishes is no session of the fleet, and none of its incidents', async () => {
  const one = await console_();
  const socket = await connected(`${one.url.replace('http', 'ws')}/api/v1/live`, {headers: {origin: one.url}}, [
    'sockeye-page.v1',
  ]);
  socket.send(JSON.stringify({fleet: true}));
  await withDeadline(5000, 'the fleet', () => once(socket, 'message'));
  socket.terminate();
  await eventually(
    'its connection is observed',
    async () =>
      (await one.api('/traces?service=sockeye-console&operation=websocket.connection')).traces.length === 1 ||
      undefined,
    10_000,
    100,
  );
  assert.deepEqual(await sessionsOf(one, 'limit=100'), []);
  const {closes} = await one.api(`/closes?from_ms=${Date.now() - 600_000}&to_ms=${Date.now() + 60_000}`);
  assert.deepEqual(closes, []);
});

it('the live list is filtered by duration and attributes, the list of the past sorted by any figure', async () => {
  const one = await console_(),
    server = await backend();
  const between = await proxy({
    config: reporting(one, 'filtered', {export: {console: {endpoint: one.url}, otlp: {endpoint: one.otlp}}}),
    routes: [{name: 'filtered', upstream: `ws://127.0.0.1:${server.port}`}],
  });
  const sockets = await Promise.all(
    [0, 1, 2].map((i) =>
      connected(`ws://127.0.0.1:${between.port}/room/${i}`, {headers: {'user-agent': `agent ${i}`}}),
    ),
  );
  const page = await Looking.at(one);
  page.ask({sessions: {attribute: ['user_agent.original:agent 1'], limit: 10}});
  const found = await page.saw('sessions', (list) => list.matched === 1, 15_000);
  assert.deepEqual([found.sessions[0].target, found.total, found.complete], ['/room/1', 3, true]);
  page.ask({sessions: {min_duration_seconds: 3600, limit: 10}});
  await page.saw('sessions', (list) => list.matched === 0 && list.total === 3);
  for (const [i, socket] of sockets.entries()) for (let n = 0; n < ((i * 2) % 3) + 1; ++n) await roundTrip(socket, 'x');
  for (const socket of sockets) await shut(socket);
  const rows = await eventually(
    'they ended',
    async () => {
      const list = await sessionsOf(one, 'state=ended&sort=messages&order=asc');
      return list.length === 3 ? list : undefined;
    },
    10_000,
    100,
  );
  assert.deepEqual(
    rows.map((each: Json) => [each.target, each.messages[0]]),
    [
      ['/room/0', 1],
      ['/room/2', 2],
      ['/room/1', 3],
    ],
  );
  const {sessions, total} = await one.api('/sessions?sort=messages&limit=1&attribute=user_agent.original:agent%202');
  assert.deepEqual([sessions.map((each: Json) => each.target), total], [['/room/2'], 1]);
  await page.end();
});
