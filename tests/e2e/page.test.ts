// The console's page in headless Chromium, on real traffic: the frozen session is found, a streamed answer's waterfall
// shows its first chunk, every view comes back from its URL; and each page, light and dark, wide and narrow, is
// accessible and leaves a screenshot in build/screenshots/.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import type {Browser, BrowserContext, Page} from 'playwright-core';
import type {Proxy} from '../lib/proxy.js';
import {eventually, withDeadline} from '../lib/wait.js';
import {browser, pageErrors, patience, picture, settled, violations, window} from './chromium.js';
import {attributesOf, type Console, console_, type Json} from './console.js';
import {play} from './realtime.js';
import {backend, connected, program, proxy} from './support.js';

let one: Console, of: Browser, between: Proxy, frozen: string, streamed: Json;
const opens = (options: object = {}) => window(of, one, options);

before(async () => {
  const launched = browser();
  one = await console_();
  const server = await backend({echo: false});
  play(server);
  const silent = await backend();
  between = await proxy({
    config: {service: 'voice-bridge', export: {otlp: {endpoint: one.otlp}, console: {endpoint: one.url}}},
    routes: [
      {
        name: 'phones',
        match: {path: '/phones'},
        upstream: `ws://127.0.0.1:${silent.port}`,
        heartbeat: {interval: '1s', timeout: '800ms', misses: 2},
      },
      {name: 'agents', match: {path: '/v1'}, upstream: `ws://127.0.0.1:${server.port}`},
    ],
  });
  const client = program('ping_client', `ws://127.0.0.1:${between.port}/phones/frozen`);
  await client.saw(/^ping \d+$/m, patience);
  client.signal('SIGSTOP');
  await connected(`ws://127.0.0.1:${between.port}/phones/healthy`);
  const agent = await connected(`ws://127.0.0.1:${between.port}/v1/realtime?model=gpt-realtime`);
  for (const text of ['write 40', 'break 3', 'speak 20', 'write 5']) {
    const done = withDeadline(
      patience,
      'response.done',
      () =>
        new Promise<void>((resolve) => {
          const look = (data: unknown) =>
            JSON.parse(String(data)).type === 'response.done' && (agent.off('message', look), resolve());
          agent.on('message', look);
        }),
    );
    agent.send(
      JSON.stringify({
        type: 'conversation.item.create',
        item: {type: 'message', role: 'user', content: [{type: 'input_text', text}]},
      }),
    );
    agent.send(JSON.stringify({type: 'response.create'}));
    await done;
  }
  frozen = (
    await eventually(
      'the frozen session was closed',
      async () => (await one.api('/sessions?end_reason=heartbeat_timeout')).sessions[0],
      2 * patience,
      200,
    )
  ).id;
  streamed = await eventually(
    'the streamed calls are stored',
    async () => {
      const all: Json[] = [];
      for (const each of (await one.api('/traces?service=voice-bridge&limit=200')).traces)
        all.push(...(await one.api(`/traces/${each.trace_id}`)).spans);
      const calls = all.filter((span) => span.events.some((event: Json) => event.name === 'first_chunk'));
      return calls.length >= 4 ? calls.sort((a, b) => b.duration_ns - a.duration_ns)[0] : undefined;
    },
    2 * patience,
    200,
  );
  of = await launched;
});

describe('a person', () => {
  let page: Page, context: BrowserContext;
  before(async () => ({page, context} = await opens()));
  after(async () => context?.close());

  it('finds the dead session from the fleet with one click, and reads why it ended', async () => {
    await page.goto(one.url);
    await page.locator(`section[aria-label="Needs attention"] a[href="/sessions/${frozen}"]`).click();
    assert.match(
      (await page.locator('.verdict-headline').textContent()) ?? '',
      /heartbeats in a row were left unanswered by the client/,
    );
    await page.getByRole('heading', {name: /Messages, client and server/}).waitFor();
    assert.equal(new URL(page.url()).pathname, `/sessions/${frozen}`);
  });
  it('finds the slow part of a streamed answer: its first chunk, in the waterfall', async () => {
    await page.goto(`${one.url}/operations`);
    await settled(page);
    // Its name: the numbers beside it are links to their traces.
    await page.getByRole('row').filter({hasText: streamed.name}).first().getByText(streamed.name).click();
    await page.waitForURL(/\/operations\?.*operation=/);
    const chosen = page.url();
    await page.reload();
    await page.locator('[role="row"][aria-selected="true"]').filter({hasText: streamed.name}).waitFor();
    assert.equal(page.url(), chosen);
    await page.goto(`${one.url}/traces/${streamed.trace_id}`);
    const row = page
      .locator('.wf-row')
      .filter({has: page.locator('.wf-streaming')})
      .first();
    await row.waitFor();
    assert.match((await row.locator('.wf-waiting').getAttribute('title'))!, /to the first chunk/);
    await row.click();
    await page.getByText('first_chunk').first().waitFor();
    const selected = page.url();
    await page.reload();
    await page.locator('.wf-row.chosen').waitFor();
    assert.equal(page.url(), selected);
  });
  it('searches calls, and the address keeps the search', async () => {
    await page.goto(`${one.url}/traces`);
    await settled(page);
    const rows = page.locator('[role="grid"] .table-body [role="row"]');
    await rows.first().waitFor();
    await page.getByLabel('Operation', {exact: true}).fill('no such operation');
    await page.keyboard.press('Enter');
    await page.getByText('No call fits').waitFor();
    assert.match(page.url(), /name=no/);
    await page.reload();
    await page.getByText('No call fits').waitFor();
    await page.getByRole('button', {name: 'Clear', exact: true}).click();
    await rows.first().waitFor();
    await page.goBack();
    await page.getByText('No call fits').waitFor();
  });
  it('sees incidents by reason, and a session that opens now without asking again', async () => {
    await page.goto(`${one.url}/incidents`);
    const group = page.locator('section.incident').filter({hasText: 'Heartbeat timeout'});
    await group.locator(`a[href="/sessions/${frozen}"]`).waitFor();
    await page.goto(`${one.url}/sessions`);
    await settled(page);
    await page.locator('[role="grid"] .table-body [role="row"]').filter({hasText: 'agents'}).first().waitFor();
  });
  it('says so when it leaves, and is no session of the fleet', async () => {
    const viewers = async (): Promise<Json[]> =>
      (await one.pages('/spans?service=sockeye-console&operation=websocket.connection&limit=200', 'spans')).map(
        (span) => attributesOf(span.attributes),
      );
    const before = (await viewers()).length;
    const {context: other, page: visitor} = await opens();
    await visitor.goto(`${one.url}/sessions`);
    await visitor.getByRole('grid', {name: 'Sessions'}).getByRole('row').nth(1).waitFor(); // told by its WebSocket
    await visitor.goto('about:blank');
    const last = await eventually(
      'the console has seen the page go',
      async () => {
        const all = await viewers();
        return all.length > before && all.find((each) => each['websocket.close.reason'] === 'the page goes');
      },
      patience,
      200,
    );
    assert.deepEqual(
      [last['websocket.close.code'], last['websocket.close.initiator'], last['websocket.end_reason'], last['url.path']],
      [1000, 'client', 'normal', '/api/v1/live'],
    );
    await other.close();
    const {sessions} = await one.api('/sessions?state=any&limit=500');
    assert.deepEqual(
      sessions.filter((each: Json) => /\/api\/v1\/live/.test(each.target) || each.service === 'sockeye-console'),
      [],
    );
    const {closes} = await one.api('/closes?from_ms=1');
    assert.equal(
      closes.reduce((sum: number, each: Json) => sum + each.count, 0),
      sessions.filter((each: Json) => each.state === 'ended').length,
    );
  });
});

// The page as it stands, in every combination of colours and width: as wide as the window, and axe finds nothing.
async function flawless(page: Page, name: string, part?: string): Promise<void> {
  for (const width of [1440, 390]) {
    await page.setViewportSize({width, height: width > 1000 ? 900 : 844});
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({colorScheme, reducedMotion: 'reduce'});
      await picture(page, `${name}-${colorScheme}-${width}`);
      assert.ok(
        await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
        `${name} is wider than ${width} px`,
      );
      assert.deepEqual(await violations(page, part), [], `${name}, ${colorScheme}, ${width} px`);
    }
  }
}

describe('accessible, and kept as a picture, in both colours and widths:', () => {
  let page: Page, context: BrowserContext;
  before(async () => ({page, context} = await opens()));
  after(async () => context?.close());

  const pages: Record<string, () => string> = {
    fleet: () => '/',
    sessions: () => '/sessions',
    sessions_ended: () => '/sessions?state=ended&close_code=1001',
    session: () => `/sessions/${frozen}`,
    session_live: () => `/sessions/${streamed.session}`,
    traces: () => '/traces',
    traces_whole: () => '/traces?view=traces',
    groups: () => '/traces?view=groups',
    trace: () => `/traces/${streamed.trace_id}`,
    operations: () => `/operations?service=voice-bridge&operation=${encodeURIComponent(streamed.name)}`,
    incidents: () => '/incidents',
    happened: () => `/happened?a=${Date.now() - 600_000}&b=${Date.now() + 600_000}`,
    nothing: () => '/no/such/page',
  };
  for (const [name, path] of Object.entries(pages))
    it(name, async () => {
      await page.goto(one.url + path());
      await settled(page);
      await flawless(page, name);
    });
  it('a search', async () => {
    await page.goto(one.url);
    await settled(page);
    await page.keyboard.press('/');
    await page.keyboard.insertText('127.0.0.1');
    await page.getByRole('option').first().waitFor();
    await flawless(page, 'search', '.search-box');
  });
  it('the keys', async () => {
    await page.goto(one.url);
    await settled(page);
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await flawless(page, 'keys', '[role=dialog]');
  });
  it('a proxy that is not heard', async () => {
    between.process.signal('SIGSTOP');
    try {
      for (const [name, path] of Object.entries({fleet: '/', sessions: '/sessions', incidents: '/incidents'})) {
        await page.goto(one.url + path);
        await page
          .locator('main')
          .getByText(/not (been )?heard from/)
          .first()
          .waitFor();
        await settled(page);
        // The bar says the same.
        await page.getByRole('banner').getByRole('link', {name: 'proxy not heard from'}).waitFor();
        await flawless(page, `unheard_${name}`);
      }
    } finally {
      between.process.signal('SIGCONT');
    }
  });
  it('a console that is away', async () => {
    await page.goto(one.url);
    await settled(page);
    await one.kill();
    const said = page.getByText(/^No live connection/);
    await said.waitFor();
    await page.getByRole('banner').getByRole('link', {name: 'proxies not known'}).waitFor();
    await flawless(page, 'away');
    await one.start();
    await said.waitFor({state: 'detached'});
    // That it could not be reached is no fault of the page.
    const away = pageErrors.filter((each) => /ERR_CONNECTION_REFUSED|WebSocket connection to/.test(each));
    assert.ok(away.length > 0);
    for (const each of away) pageErrors.splice(pageErrors.indexOf(each), 1);
  });
});

it('no page complained', () => assert.deepEqual(pageErrors, []));
