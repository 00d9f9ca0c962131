// npm run look [-- PART-OF-NAME ...] [-- --fast | --at=dark:1440]: opens every page of the built site in headless
// Chromium against the fixture, light and dark, at 1440 px and 390 px (and a few at 360 and 3840), takes screenshots
// into build/screenshots, runs axe-core on each, and fails on any violation, console error, CSP report or sideways
// scroll.
import {mkdir, readFile} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {bundle, web} from './bundle.mjs';
import {launch} from './chromium.mjs';

const [file] = await bundle('test/fixture_server.ts');
const {start} = await import(file);
const root = join(web, 'dist'),
  shots = join(dirname(web), 'build', 'screenshots');
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const only = process.argv.slice(2).filter((one) => !one.startsWith('--'));
const fast = process.argv.includes('--fast');
const at = process.argv
  .find((one) => one.startsWith('--at='))
  ?.slice(5)
  .split(':'); // --at=dark:1440
await mkdir(shots, {recursive: true});

const full = await start({root}),
  empty = await start({root, empty: true}),
  locked = await start({root, token: 'secret'});
const {frozen, vanished, open} = full.world;
const hostile = open.find((one) => one.client.startsWith('<img'));
const id = (pair) => pair.repeat(16);
const pages = [
  ['fleet', full, '/'],
  ['fleet_week', full, '/?range=7d'],
  ['sessions', full, '/sessions'],
  ['sessions_trouble', full, '/sessions?trouble=true&text=10'],
  ['sessions_ended', full, '/sessions?state=ended&abnormal=true&range=24h&sort=ended'],
  ['session_frozen', full, `/sessions/${frozen.id}`],
  ['session_vanished', full, `/sessions/${vanished.id}`],
  ['session_hostile', full, `/sessions/${hostile.id}`],
  ['traces', full, '/traces'],
  ['traces_slow', full, '/traces?service=voice-bridge&min=3s&sort=first_chunk'],
  ['traces_whole', full, '/traces?view=traces'],
  ['traces_cell', full, '/traces?view=spans&service=voice-bridge&operation=media_reply&low=1.5&high=2.25'],
  ['groups', full, '/traces?view=groups&by=attribute&key=gen_ai.request.model&figure=first_chunk'],
  ['trace_alone', full, `/traces/${full.alone}`],
  ['trace_slow', full, `/traces/${id('a1')}?span=${'04'.repeat(8)}`],
  ['trace_big', full, `/traces/${id('b2')}`],
  ['trace_odd', full, `/traces/${id('c3')}?span=0000000000000009`],
  ['trace_deep', full, `/traces/${id('d4')}`],
  ['trace_long', full, `/traces/${id('e5')}`],
  ['operations', full, '/operations?range=3h'],
  ['operation', full, '/operations?range=3h&service=voice-bridge&operation=realtime_inference'],
  ['incidents', full, '/incidents?range=24h'],
  ['happened', full, '/happened?range=3h'],
  ['happened_changed', full, `/happened?range=3h&a=${full.world.started - 1_800_000}&b=${full.world.started - 60_000}`],
  ['empty_happened', empty, '/happened'],
  ['empty_fleet', empty, '/'],
  ['empty_sessions', empty, '/sessions'],
  ['empty_traces', empty, '/traces'],
  ['empty_operations', empty, '/operations'],
  ['search', full, '/', (page) => search(page, '10.')],
  ['search_nothing', full, '/traces', (page) => search(page, 'no such thing')],
  ['missing_trace', full, `/traces/${id('00')}`],
  ['locked', locked, '/'],
].filter(
  ([name]) =>
    only.length === 0 || only.some((one) => name === one || (one.endsWith('*') && name.startsWith(one.slice(0, -1)))),
);

async function search(page, text) {
  await page.keyboard.press('/');
  await page.keyboard.type(text);
  await page.locator('[role=option], .search-state:has-text("Nothing")').first().waitFor();
}

const browser = await launch();
let wrong = 0;
const say = (...words) => {
  wrong++;
  console.log('WRONG', ...words);
};

for (const [colorScheme, width, height] of fast
  ? [
      ['light', 1440, 900],
      ['dark', 390, 844],
    ]
  : [
      ['light', 1440, 900],
      ['dark', 1440, 900],
      ['light', 390, 844],
      ['dark', 390, 844],
      ['light', 360, 740],
      ['dark', 3840, 2160],
    ]) {
  if (at && (at[0] !== colorScheme || at[1] !== String(width))) continue;
  const context = await browser.newContext({
    colorScheme,
    viewport: {width, height},
    reducedMotion: 'reduce',
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
  });
  for (const [name, server, path, act] of pages) {
    const page = await context.newPage();
    const where = `${name} ${colorScheme} ${width}`;
    page.on('console', (message) => {
      if (
        (message.type() === 'error' || message.type() === 'warning') &&
        !/status of (401|404)|WebSocket connection to/.test(message.text())
      )
        say(where, message.text().slice(0, 400));
    });
    page.on('pageerror', (error) => say(where, error.stack ?? error.message));
    await page.goto(server.url + path);
    await page.waitForLoadState('networkidle').catch(() => undefined);
    await page.waitForTimeout(500); // not a state to poll for: lets live data fill in, for the picture
    await act?.(page);
    await page.screenshot({path: join(shots, `${name}_${colorScheme}_${width}.png`)});
    if (await page.evaluate(() => document.title.includes('owned'))) say(where, 'script of a stored string ran');
    const sideways = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    if (sideways > 0) say(where, `scrolls sideways by ${sideways} px`);
    await page.evaluate(axe);
    const result = await page.evaluate(() =>
      globalThis.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      }),
    );
    for (const one of result.violations)
      say(
        where,
        one.id,
        one.help,
        '|',
        one.nodes
          .slice(0, 3)
          .map((node) => `${node.target.join(' ')} ${node.any?.[0]?.message ?? ''}`)
          .join(' || ')
          .slice(0, 600),
      );
    await page.close();
  }
  await context.close();
}
await browser.close();
await Promise.all([full.close(), empty.close(), locked.close()]);
console.log(wrong ? `${wrong} wrong` : 'all well', shots);
process.exit(wrong ? 1 : 0);
