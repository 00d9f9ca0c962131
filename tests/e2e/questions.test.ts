// The questions somebody on call asks, each answered from the front page in three clicks at most: by a person in
// Chromium, on real traffic, and the answer is what happened.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import type {Browser, Page} from 'playwright-core';
import type {WebSocket} from 'ws';
import {connectEndpoint} from '../lib/endpoint.js';
import {opcodes} from '../lib/frame.js';
import {eventually, withDeadline} from '../lib/wait.js';
import {browser, pageErrors, numberOf, patience, Person, secondsOf, settled, window} from './chromium.js';
import {type Console, console_, type Json} from './console.js';
import {backend, connected, proxy, roundTrip, shut} from './support.js';

// ms of this process's monotonic clock, as each end saw the call. The proxy is between them.
interface Call {
  operation: string;
  asked: number;
  got: number;
  sent: number[]; // chunks
  seen: number[];
}
// When its chunks come, in ms since the call or the chunk before.
const plans = {quick: [5, 5, 5], story: [60, 10, 10, 1500, 10]};
const waits = [...new Array<number>(36).fill(5), 300, 400, 500, 600]; // to the first chunk, of 40 answers

let one: Console, page: Page, of: Browser, person: Person;
const calls: Call[] = [];
const known = {
  trace: 'c0ffee00000000000000000000000007',
  answered: [] as number[],
  unanswered: [] as number[],
  last_ms: 0,
  began_ms: 0,
};
const frozen = '/phones/frozen';

// Answers calls, echoes all else.
function answer(socket: WebSocket, path: string): void {
  socket.on('message', (data, binary) => {
    if (!path.startsWith('/agents')) return socket.send(data as Buffer, {binary});
    const {id, payload} = JSON.parse(String(data));
    const call = calls[Number(id)]!;
    call.got = performance.now();
    const gaps: number[] = payload.variables.gaps;
    const next = (): void => {
      call.sent.push(performance.now());
      socket.send(JSON.stringify({id, type: 'next', payload: {data: {n: call.sent.length}}}));
      if (call.sent.length < gaps.length) setTimeout(next, gaps[call.sent.length]);
      else socket.send(JSON.stringify({id, type: 'complete'}));
    };
    setTimeout(next, gaps[0]);
  });
}

async function call(socket: WebSocket, operation: string, gaps: number[]): Promise<void> {
  const made: Call = {operation, asked: 0, got: 0, sent: [], seen: []};
  const id = String(calls.push(made) - 1);
  await withDeadline(
    patience,
    `the end of ${operation}`,
    () =>
      new Promise<void>((resolve) => {
        const hear = (data: unknown): void => {
          if (JSON.parse(String(data)).type === 'next') return void made.seen.push(performance.now());
          socket.off('message', hear);
          resolve();
        };
        socket.on('message', hear);
        made.asked = performance.now();
        const query = `subscription ${operation} { n }`;
        const payload = {query, operationName: operation, variables: {gaps}};
        socket.send(JSON.stringify({id, type: 'subscribe', payload}));
      }),
  );
}

before(async () => {
  const launched = browser();
  one = await console_();
  const server = await backend({echo: false, protocols: ['graphql-transport-ws']});
  server.accepted = (socket) => answer(socket, server.requests.at(-1)!.url!);
  const upstream = `ws://127.0.0.1:${server.port}`;
  const calm = {interval: '1h', timeout: '1h'};
  const {port} = await proxy({
    config: {service: 'edge', export: {otlp: {endpoint: one.otlp}, console: {endpoint: one.url}}},
    routes: [
      {name: 'phones', heartbeat: {interval: '600ms', timeout: '500ms', misses: 2}},
      {name: 'agents', heartbeat: calm, trace: {scope: 'connection'}},
      {name: 'feed', heartbeat: calm},
    ].map((route) => ({...route, match: {path: `/${route.name}`}, upstream})),
  });
  const at = `ws://127.0.0.1:${port}`;
  known.began_ms = Date.now();

  // A telephone that answers pings for a while, and then no more.
  const silent = await connectEndpoint({port}, {path: frozen});
  for (const word of ['one', 'two', 'three']) {
    await silent.text(word);
    await silent.next(patience);
  }
  known.last_ms = Date.now();
  const healthy = [await connected(`${at}/phones/a`), await connected(`${at}/phones/b`)];
  for (const socket of healthy) await roundTrip(socket, 'hello');
  silent.onFrame = ({opcode}) => {
    if (opcode !== opcodes.ping) return;
    (silent.answerPings ? known.answered : known.unanswered).push(Date.now());
  };
  // The second one comes when the first one's pong was there in time.
  await eventually('a ping was answered, and another one came', () => known.answered.length >= 2, patience, 5);
  silent.answerPings = false;

  // Three clients that drop off the network, two that stay; and one address of its own among them.
  const feed = await Promise.all([1, 2, 3, 4, 5].map((n) => connected(`${at}/feed/${n}`)));
  const guests = await Promise.all(
    [1, 2, 3].map((n) => connected(`${at}/feed/guest-${n}`, {localAddress: '127.0.0.9'})),
  );
  for (const socket of [...feed, ...guests]) await roundTrip(socket, 'hello');
  for (const socket of feed.slice(0, 3))
    (socket as unknown as {_socket: {resetAndDestroy(): void}})._socket.resetAndDestroy();
  await shut(guests[0]!);

  const protocols = ['graphql-transport-ws'];
  const agents = await Promise.all([0, 1, 2, 3].map((n) => connected(`${at}/agents/${n}`, {}, protocols)));
  const traced = await connected(
    `${at}/agents/traced`,
    {headers: {traceparent: `00-${known.trace}-00000000000000aa-01`}},
    protocols,
  );
  const work = [...waits];
  await Promise.all([
    ...agents.slice(0, 3).map(async (socket) => {
      for (let wait = work.shift(); wait !== undefined; wait = work.shift()) await call(socket, 'Answer', [wait, 5, 5]);
    }),
    call(agents[3]!, 'Story', plans.story),
    call(traced, 'Quick', plans.quick).then(() => shut(traced)),
  ]);
  await silent.until(() => silent.ended !== undefined, patience);
  await eventually(
    'all of it is stored',
    async () => {
      const {rows} = await one.api(`/latency?from_ms=${known.began_ms}`);
      const many = (operation: string) => rows.find((row: Json) => row.operation === operation)?.count;
      const {sessions} = await one.api(`/sessions?from_ms=${known.began_ms}&state=ended`);
      return many('Answer') === 40 && many('Story') === 1 && many('Quick') === 1 && sessions.length === 6;
    },
    patience,
    100,
  );
  of = await launched;
  ({page} = await window(of, one));
  person = new Person(page);
});
after(() => of?.close());

const ofFirst = (call: Call): [number, number] => [
  (call.sent[0]! - call.got) / 1e3,
  (call.seen[0]! - call.asked) / 1e3,
];
// Three figures are shown, and a millisecond is how well the clocks of two processes may be told apart.
function within(actual: number, [low, high]: [number, number], what: string, error = 0.005): void {
  const text = `${what}: ${actual} s, and it was between ${low} and ${high} s`;
  assert.ok(actual >= low * (1 - error) - 0.001 && actual <= high * (1 + error) + 0.001, text);
}

describe('three clicks from the front page', () => {
  it('which session died silently, and what came before', async () => {
    await person.arrive(one);
    const attention = page.getByRole('region', {name: 'Needs attention'});
    await person.click(attention.getByRole('link', {name: /Heartbeat timeout/}));
    await page.locator('.verdict-headline').waitFor();
    await person.answered('question-1-died-silently');

    const [truth] = (await one.api('/sessions?end_reason=heartbeat_timeout')).sessions;
    assert.equal(truth.target, frozen);
    assert.equal(new URL(page.url()).pathname, `/sessions/${truth.id}`);
    const said = (await page.getByRole('region', {name: 'Its end and why'}).textContent())!;
    assert.match(said, /2 heartbeats in a row were left unanswered by the client/);
    // Between the last sign of life, which is the answer to the last ping that was answered, and the next ping.
    const between = /between (\S+(?: \S+)?), its last \S+, and (\S+(?: \S+)?), the first ping it did not answer/.exec(
      said,
    )!;
    const [from, to] = between.slice(1).map((clock) => {
      const [h, m, s] = clock.split(' ').at(-1)!.split(':').map(Number);
      return new Date(known.last_ms).setHours(h!, m, 0, 0) + s! * 1e3;
    }) as [number, number];
    assert.ok(known.answered.at(-1)! - 1 <= from && from <= to && to <= known.unanswered[0]! + 1, between[0]);
    const last = secondsOf(/Last message from the client (.+?) before/.exec(said)![1]);
    within(
      last,
      [(truth.ended_ms - known.last_ms) / 1e3 - 0.05, (truth.ended_ms - known.last_ms) / 1e3 + 0.05],
      'last message',
    );
    assert.equal(
      await page
        .getByRole('grid', {name: /^Messages of this session/})
        .getByText('never answered')
        .count(),
      2,
    );
    assert.equal(
      await page
        .locator('.session-facts div', {hasText: /^Messages/})
        .locator('dd')
        .textContent(),
      '3 · 3',
    );
  });

  it('the slow part of a slow answer', async () => {
    await person.arrive(one);
    await person.open('Traces');
    await person.click(page.getByRole('columnheader', {name: 'Duration'}).getByRole('button'));
    await page.waitForURL(/sort=duration/);
    await settled(page);
    await person.click(page.getByRole('grid', {name: 'Calls'}).getByRole('row').nth(1));
    const details = page.getByRole('complementary', {name: 'Span Story'});
    await details.waitFor();
    await person.answered('question-2-slow-part');

    const story = calls.find((each) => each.operation === 'Story')!;
    const figure = async (name: string) =>
      secondsOf(await details.locator('.details-stream > div', {hasText: name}).locator('strong').textContent());
    within(await figure('First chunk'), ofFirst(story), 'first chunk');
    within(
      await figure('Longest pause'),
      [(story.sent[3]! - story.seen[2]!) / 1e3, (story.seen[3]! - story.sent[2]!) / 1e3],
      'longest pause',
    );
    assert.match((await details.locator('.details-stream').textContent())!, /5 chunks/);
  });

  it('sessions of each route, and anything abnormal', async () => {
    await person.arrive(one);
    const table = page.getByRole('grid', {name: 'Routes'});
    const row = (name: string) => table.getByRole('row', {name: new RegExp(`^${name}`)});
    const truth: Record<string, [open: number, opened: number, ended: number, abnormal: number]> = {
      phones: [2, 3, 1, 1],
      agents: [4, 5, 1, 0],
      feed: [4, 8, 4, 3],
    };
    for (const [route, numbers] of Object.entries(truth))
      await eventually(
        `the numbers of ${route}`,
        async () => {
          const cells = await row(route).getByRole('gridcell').allTextContents();
          assert.deepEqual(cells.slice(1, 5).map(numberOf), numbers, route);
          return true;
        },
        patience,
        200,
      );
    await person.click(row('feed').getByRole('gridcell').nth(4).getByRole('link'));
    await page.waitForURL(/\/sessions\?/);
    await person.answered('question-3-abnormal-of-a-route');
    const rows = page.getByRole('grid', {name: 'Sessions'}).getByRole('row');
    assert.equal(await rows.count(), 1 + 3);
    for (const i of [1, 2, 3]) assert.match((await rows.nth(i).textContent())!, /Reset 1006/);
  });

  it('p95 of the first chunk, and the traces behind the worst', async () => {
    await person.arrive(one);
    await person.open('Operations');
    const row = page.getByRole('grid', {name: 'Operations'}).getByRole('row', {name: /^Answer/});
    const heads = await page.getByRole('columnheader').allTextContents();
    const cell = row.getByRole('gridcell').nth(heads.findIndex((head) => head.startsWith('First p95')));
    const p95 = secondsOf(await cell.textContent());
    const answers = calls.filter((each) => each.operation === 'Answer').map(ofFirst);
    const rank = (i: 0 | 1, q: number) => answers.map((each) => each[i]).sort((a, b) => a - b)[Math.ceil(q * 40) - 1]!;
    within(p95, [rank(0, 0.95), rank(1, 0.95)], 'p95', 0.02);

    await person.click(cell.getByRole('link'));
    await page.waitForURL(/\/traces\?/);
    await settled(page);
    const worst = page.getByRole('grid', {name: 'Spans'}).getByRole('row');
    assert.ok((await worst.count()) - 1 >= 2, 'the p95 and those above it');
    await person.click(worst.nth(1));
    const details = page.getByRole('complementary', {name: 'Span Answer'});
    await details.waitFor();
    await person.answered('question-4-behind-the-worst');
    const first = await details
      .locator('.details-stream > div', {hasText: 'First chunk'})
      .locator('strong')
      .textContent();
    within(secondsOf(first), [rank(0, 1), rank(1, 1)], 'the worst first chunk');
  });

  it('the sessions of one client', async () => {
    await person.arrive(one);
    await person.search('127.0.0.9');
    await page.waitForURL(/\/sessions\?.*client=127\.0\.0\.9/);
    await person.answered('question-5-sessions-of-a-client');
    const rows = page.getByRole('grid', {name: 'Sessions'}).getByRole('row');
    const found: string[] = [];
    for (let i = 1; i < (await rows.count()); ++i)
      found.push(/\/feed\/guest-\d/.exec((await rows.nth(i).textContent())!)![0]);
    assert.deepEqual(found.sort(), ['/feed/guest-1', '/feed/guest-2', '/feed/guest-3']);
    assert.match((await page.locator('.table-foot').textContent())!, /3 of 3 sessions|^3 sessions/);
  });

  for (const [what, id] of Object.entries({
    'trace id': known.trace,
    traceparent: `00-${known.trace}-00000000000000aa-01`,
  }))
    it(`a trace by any id: ${what}`, async () => {
      await person.arrive(one);
      await person.search(id);
      await page.waitForURL((url) => url.pathname === `/traces/${known.trace}`);
      await person.answered(`question-6-by-${what.replaceAll(' ', '-')}`);
      const rows = page.locator('.wf-row');
      await rows.filter({hasText: 'Quick'}).first().waitFor();
      for (const name of ['websocket.handshake', 'websocket.connection', 'Quick'])
        assert.equal(await rows.filter({hasText: name}).count(), 1, name);
    });

  it('a trace by any id: the session it is of', async () => {
    const [session] = (await one.api('/sessions?text=agents%2Ftraced&state=ended')).sessions;
    await person.arrive(one);
    await person.search(session.id.slice(-8));
    await page.waitForURL((url) => url.pathname === `/sessions/${session.id}`);
    await person.click(page.locator('.session-facts').getByRole('link', {name: known.trace.slice(0, 8)}));
    await page.waitForURL((url) => url.pathname === `/traces/${known.trace}`);
    await person.answered('question-6-by-session');
    await page.locator('.wf-row').filter({hasText: 'Quick'}).first().waitFor();
  });

  it('what happened between two moments', async () => {
    await person.arrive(one);
    await person.open('What happened');
    const plot = page.locator('.u-over').first();
    const width = (await plot.boundingBox())!.width;
    // From two minutes before it began until now, on an axis of an hour.
    const minutes = (Date.now() - known.began_ms) / 60_000 + 2;
    await person.drag(plot, width * (1 - minutes / 60), width - 1);
    const changed = page.getByRole('region', {name: 'What changed'});
    await changed.getByText('4 sessions died').waitFor();
    const cohorts = await changed.getByRole('listitem').allTextContents();
    assert.match(cohorts[0]!, /^3 of 4 deaths share .*route feed/);
    assert.match(cohorts[0]!, /reason reset/);
    await person.click(changed.getByRole('listitem').first().getByRole('link'));
    await page.waitForURL(/\/sessions\?/);
    await person.answered('question-7-what-happened-sessions');
    const rows = page.getByRole('grid', {name: 'Sessions'}).getByRole('row');
    assert.equal(await rows.count(), 1 + 3);
    for (const i of [1, 2, 3]) assert.match((await rows.nth(i).textContent())!, /Reset 1006.*\/feed\/[123]/s);
    await page.goBack();
    await changed.getByText('4 sessions died').waitFor();
    await person.answered('question-7-what-happened');
  });
});

it('no page complained', () => assert.deepEqual(pageErrors, []));
