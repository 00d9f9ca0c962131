// The console's page in headless Chromium, on real traffic: the frozen session is found, a streamed answer's waterfall
// shows its first chunk, every view comes back from its URL; and each page, light and dark, wide and narrow, is
// accessible and leaves a screenshot in build/screenshots/.
import assert from 'node:assert/strict';
import {mkdirSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {type Browser, type BrowserContext, chromium, type Page} from 'playwright-core';
import {repository} from '../lib/process.js';
import {eventually, withDeadline} from '../lib/wait.js';
import {type Console, console_, type Json} from './console.js';
import {play} from './realtime.js';
import {backend, connected, program, proxy} from './support.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'),
  screenshots = join(repository, 'build/screenshots');
const patience = 20_000;
let one: Console, browser: Browser, frozen: string, streamed: Json;

before(async () => {
  mkdirSync(screenshots, {recursive: true});
  one = await console_();
  const server = await backend({echo: false});
  play(server);
  const silent = await backend();
  const between = await proxy({
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
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-default-apps',
      '--no-first-run',
    ],
  });
});
after(async () => browser?.close());

// What no page may say: an error on its console, an exception, a breach of its Content-Security-Policy.
const complaints: string[] = [];
async function window(options: object = {}): Promise<{context: BrowserContext; page: Page}> {
  const context = await browser.newContext({viewport: {width: 1440, height: 900}, ...options});
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on(
    'console',
    (message) => ['error', 'warning'].includes(message.type()) && complaints.push(`${page.url()}: ${message.text()}`),
  );
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
  page.on(
    'request',
    (request) =>
      !request.url().startsWith(one.url) &&
      !request.url().startsWith('data:') &&
      complaints.push(`asks another site: ${request.url()}`),
  );
  return {context, page};
}
const settled = async (page: Page): Promise<void> => {
  await page.locator('main h1').first().waitFor();
  await page.waitForFunction(
    () => !/Loading|Looking for|Searching/.test(document.querySelector('main')?.textContent ?? ''),
  );
};

describe('a person', () => {
  let page: Page, context: BrowserContext;
  before(async () => ({page, context} = await window()));
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
});

describe('each page is accessible and is kept as a picture,', () => {
  const pages = (): Record<string, string> => ({
    fleet: '/',
    sessions: '/sessions',
    session: `/sessions/${frozen}`,
    traces: '/traces',
    traces_whole: '/traces?view=traces',
    groups: '/traces?view=groups',
    trace: `/traces/${streamed.trace_id}`,
    operations: `/operations?service=voice-bridge&operation=${encodeURIComponent(streamed.name)}`,
    incidents: '/incidents',
  });
  for (const colorScheme of ['light', 'dark'])
    for (const width of [1440, 390])
      it(`${colorScheme}, ${width} px`, async () => {
        const {context, page} = await window({
          colorScheme,
          viewport: {width, height: width > 1000 ? 900 : 844},
          reducedMotion: 'reduce',
        });
        for (const [name, path] of Object.entries(pages())) {
          await page.goto(one.url + path);
          await settled(page);
          await page.screenshot({path: join(screenshots, `${name}-${colorScheme}-${width}.png`), fullPage: true});
          assert.ok(
            await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
            `${name} is wider than ${width} px`,
          );
          await page.evaluate(axe);
          const violations = await page.evaluate(async () =>
            ((await (globalThis as Json).axe.run(document, {resultTypes: ['violations']})).violations as Json[])
              .filter((each) => each.impact === 'serious' || each.impact === 'critical')
              .map(
                (each) =>
                  `${each.id}: ${each.nodes
                    .slice(0, 3)
                    .map((node: Json) => `${node.html.slice(0, 160)} ${node.failureSummary}`)
                    .join('\n')}`,
              ),
          );
          assert.deepEqual(violations, [], name);
        }
        await context.close();
      });
});

it('no page complained', () => assert.deepEqual(complaints, []));
