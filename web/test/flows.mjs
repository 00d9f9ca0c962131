// npm run flows: what a person does during an incident, in headless Chromium against the fixture, by mouse and by keys;
// and how fast the 10,000-span waterfall is. Prints what it measured. -- WORDS: only the flows with them in their name.
import assert from 'node:assert/strict';
import {join} from 'node:path';
import {bundle, web} from './bundle.mjs';
import {launch} from './chromium.mjs';

const [file] = await bundle('test/fixture_server.ts');
const {start} = await import(file);
const root = join(web, 'dist'),
  full = await start({root}),
  locked = await start({root, token: 'secret'});
const browser = await launch();
const only = process.argv.slice(2).join(' ');
const context = await browser.newContext({viewport: {width: 1440, height: 900}});
const id = (pair) => pair.repeat(16);
let failed = 0;

async function flow(name, run) {
  if (!name.includes(only)) return;
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on(
    'console',
    (message) =>
      message.type() === 'error' && /Content Security Policy/.test(message.text()) && errors.push(message.text()),
  );
  try {
    await run(page);
    assert.deepEqual(errors, []);
    console.log('ok', name);
  } catch (error) {
    failed++;
    console.log('FAILED', name, error.message.slice(0, 900));
  }
  await page.close();
}

await flow('the frozen client is one click away, and its page says what is wrong', async (page) => {
  await page.goto(full.url);
  await page
    .getByRole('region', {name: 'Needs attention'})
    .getByRole('link', {name: /client missed 2 heartbeats/})
    .click();
  await page.getByText(/The client left 2 heartbeats in a row unanswered and last sent something/).waitFor();
  assert.ok(page.url().endsWith(full.world.frozen.id));
  await page.getByRole('application', {name: /client was silent for the last .*2 pings never answered/}).waitFor();
  await page.goBack();
  await page.getByRole('heading', {name: 'Fleet'}).waitFor();
});

await flow('the vanished one is found among the ended by keys alone, and its page tells why it ended', async (page) => {
  await page.goto(`${full.url}/sessions?state=ended&abnormal=true&range=24h&sort=ended`);
  await page.getByRole('row').nth(3).waitFor();
  await page.getByLabel('Search sessions').focus();
  await page.keyboard.type('dead02');
  await page.waitForURL(/text=dead02/);
  await page
    .getByRole('row', {name: /Heartbeat timeout/})
    .first()
    .focus();
  await page.waitForFunction(() => document.querySelectorAll('[role=row]').length === 2);
  await page.getByRole('row', {name: /Heartbeat timeout/}).focus();
  await page.keyboard.press('Enter');
  await page
    .getByText(
      'The proxy closed it with 1011 (server error): 2 heartbeats in a row were left unanswered by the client.',
    )
    .waitFor();
});

await flow('tables: arrows move the focus, Enter opens', async (page) => {
  await page.goto(`${full.url}/sessions`);
  await page.getByRole('row').nth(5).waitFor();
  await page.getByRole('row').nth(1).focus();
  for (let i = 0; i < 30; i++) await page.keyboard.press('ArrowDown');
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-rowindex') === '32');
  await page.keyboard.press('End');
  const last = full.world.open.length + 1;
  await page.waitForFunction((index) => document.activeElement?.getAttribute('aria-rowindex') === String(index), last);
  await page.waitForFunction(() => document.activeElement?.querySelector('a') !== null);
  await page.keyboard.press('Enter');
  await page.waitForURL(/sessions\/[0-9a-f-]{36}$/);
});

await flow('the message list can be read to its oldest row', async (page) => {
  await page.goto(`${full.url}/sessions/${full.world.vanished.id}`);
  const table = page.getByRole('grid', {name: 'Messages of this session, latest first'});
  await table.getByRole('button', {name: /^Show all/}).click();
  await table.getByRole('row').nth(1).focus();
  await page.keyboard.press('End');
  const oldest = table.locator(`[aria-rowindex="${await table.getAttribute('aria-rowcount')}"]`);
  await oldest.getByText(/^\d\d:\d\d:\d\d\.\d{3}$/).waitFor({timeout: 5000});
  assert.equal(await oldest.locator('.skeleton').count(), 0);
  await page.keyboard.press('Enter');
  await table.locator('[role=row][aria-selected=true]').waitFor();
  assert.equal(await oldest.getAttribute('aria-selected'), 'true');
});

await flow('a chosen message stays chosen while others come', async (page) => {
  const talking = full.world.open.find((one) => one.live && one.route === 'calls' && one !== full.world.frozen);
  await page.goto(`${full.url}/sessions/${talking.id}`);
  const table = page.getByRole('grid', {name: 'Messages of this session, latest first'});
  await table.getByRole('button', {name: /^Show all/}).click();
  const third = table.getByRole('row').nth(3),
    chosen = table.locator('[role=row][aria-selected=true]');
  await third.click();
  await chosen.waitFor();
  const text = await chosen.textContent(),
    [place, rows] = [await chosen.getAttribute('aria-rowindex'), await table.getAttribute('aria-rowcount')].map(Number);
  await page.waitForFunction(
    ([rows]) => Number(document.querySelector('[aria-label^="Messages of"][role=grid]').ariaRowCount) >= rows + 5,
    [rows],
  );
  assert.equal(await chosen.textContent(), text);
  assert.ok(Number(await chosen.getAttribute('aria-rowindex')) >= place + 5);
  assert.ok(new URL(page.url()).searchParams.has('message'));
  await page.locator('.timeline-readout').getByText(text.slice(0, 12)).waitFor();
});

await flow('a ping without an answer stands on the lane of the side that was silent', async (page) => {
  for (const one of [full.world.frozen, full.world.vanished]) {
    await page.goto(`${full.url}/sessions/${one.id}`);
    await page.getByRole('application', {name: /2 pings never answered/}).waitFor();
    // Red is drawn for them, and for a Close, which stands as a line across its lane: crosses are at the outer edges.
    const red = await page.evaluate(() => {
      const canvas = document.querySelector('.timeline-box canvas'),
        probe = document.body.appendChild(document.createElement('i'));
      probe.className = 'dot bad';
      const [r, g, b] = getComputedStyle(probe).backgroundColor.match(/\d+/g).map(Number);
      probe.remove();
      const {width, height} = canvas,
        {data} = canvas.getContext('2d').getImageData(0, 0, width, height),
        found = [0, 0];
      const edge = (12 * height) / canvas.clientHeight,
        lanes = [(36 * height) / canvas.clientHeight, ((236 - 22) * height) / canvas.clientHeight - edge * 1.8];
      for (let side = 0; side < 2; side++)
        for (let y = Math.round(lanes[side]); y < lanes[side] + edge * 1.8; y++)
          for (let x = 0; x < width; x++) {
            const at = 4 * (y * width + x);
            if (Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 12) found[side]++;
          }
      return found;
    });
    assert.ok(red[0] > red[1] + 20, `${red} of ${one.id}`);
  }
});

await flow('keys reach a chart and hear what stands at each step', async (page) => {
  await page.goto(full.url);
  const chart = page.getByRole('slider', {name: /^Messages\. from clients: latest/});
  await chart.focus();
  await page.keyboard.press('Home');
  const first = await chart.getAttribute('aria-valuetext');
  assert.match(first, /^.*\d\d:\d\d:\d\d: from clients: .*\/s; from servers: .*\/s/);
  assert.equal(await chart.getAttribute('aria-valuenow'), '0');
  await page.keyboard.press('ArrowRight');
  assert.equal(await chart.getAttribute('aria-valuenow'), '1');
  assert.notEqual(await chart.getAttribute('aria-valuetext'), first);
  // The last step is under way, but for the second in which it is over.
  for (let tries = 0; tries < 5; tries++) {
    await page.keyboard.press('End');
    const text = await chart.getAttribute('aria-valuetext');
    if (/not a whole step$/.test(text)) return;
    await page.waitForFunction(
      (text) => document.querySelector('[role=slider][aria-label^="Messages."]').ariaValueText !== text,
      text,
    );
  }
  assert.fail('the last step is not said to be under way');
});

await flow('help opens with ?, closes with Esc; g t goes to Traces; the theme is remembered', async (page) => {
  await page.goto(full.url);
  await page.getByRole('heading', {name: 'Fleet'}).waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('from row to row').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({state: 'detached'});
  await page.keyboard.press('g');
  await page.keyboard.press('t');
  await page.waitForURL(/\/traces/);
  await page.getByRole('button', {name: /^Theme/}).click();
  await page.reload();
  assert.equal(await page.evaluate(() => document.documentElement.style.colorScheme), 'dark');
  await page.evaluate(() => localStorage.clear());
});

await flow('a token is asked for, a wrong one refused, the right one lets in', async (page) => {
  await page.goto(locked.url);
  const dialog = page.getByRole('dialog', {name: 'This console asks for a token'});
  await dialog.getByLabel('Token').fill('wrong');
  await page.keyboard.press('Enter');
  await dialog.getByText('This is not the token.').waitFor();
  await dialog.getByLabel('Token').fill('secret');
  await page.keyboard.press('Enter');
  await dialog.waitFor({state: 'detached'});
  await page.getByText(/sessions open now/).waitFor();
});

await flow('"all clear" is not said while a proxy is away, the stream is lost, or a question fails', async (page) => {
  page.setDefaultTimeout(120_000); // on a busy machine an answer is old for a while, and the page says so
  const calm = await start({root});
  calm.world.heal();
  const clear = page.getByText(/All clear: nothing is wrong with the \d+ open sessions\.$/),
    none = page.getByText('No session ended abnormally in this time range.');
  await page.goto(calm.url);
  await clear.waitFor();
  await none.waitFor();
  calm.world.lose('0197-bridge-b');
  await page
    .getByText(/\d+ of \d+ open sessions have not been heard from since .*: how these are now/)
    .first()
    .waitFor();
  assert.equal(await clear.count(), 0);
  await page.goto(`${calm.url}/incidents`);
  await page.getByText('Nothing is known to have gone wrong, but not everything is known').waitFor();
  calm.world.heal();
  await page.getByText('Nothing went wrong in this time range').waitFor();
  await page.goto(calm.url);
  await clear.waitFor();
  calm.refuseLive(true);
  calm.dropLive();
  await page
    .getByText(/The console has not been heard from since/)
    .first()
    .waitFor();
  assert.equal(await clear.count(), 0);
  assert.equal(await none.count(), 0);
  calm.refuseLive(false);
  await clear.waitFor();
  calm.fail('/sessions');
  await page
    .getByText(/The question about the sessions that ended failed/)
    .first()
    .waitFor();
  assert.equal(await clear.count(), 0);
  await calm.close();
});

await flow('a fixed time range has nothing live in it, and every list keeps to it', async (page) => {
  const to = Date.now() - 600_000,
    range = `from=${to - 3_000_000}&to=${to}`;
  await page.goto(`${full.url}/?${range}`);
  await page.getByText('A fixed time range: nothing here is live.').waitFor();
  await page.getByText('The time range does not move, so what happens now is not shown.').waitFor();
  const asked = full.asked.filter((one) => one.startsWith('/sessions?state=ended&abnormal=true'));
  assert.match(asked.at(-1), new RegExp(`ended_to_ms=${to}`));
  assert.equal(await page.getByRole('link', {name: /client missed 2 heartbeats/}).count(), 0);
  await page.getByRole('region', {name: 'Needs attention'}).getByRole('listitem').first().waitFor();
  const row = page.getByRole('grid', {name: 'Routes'}).getByRole('row', {name: /^calls/});
  const ended = await row.getByRole('gridcell').nth(3).textContent();
  await row.getByRole('gridcell').nth(3).getByRole('link').click();
  await page
    .getByText(`${ended} of ${ended} sessions`)
    .or(page.getByText(`200 of ${ended} sessions`))
    .waitFor();
});

await flow('ends of a chosen proxy are its own: headline, table and list agree', async (page) => {
  const to = Date.now() - 60_000,
    from = to - 21_600_000,
    {instance} = full.world.ended.find((one) => one.end_reason === 'lost' && one.ended_ms > from && one.ended_ms < to);
  await page.goto(`${full.url}/?from=${from}&to=${to}&instance=${instance}`);
  const its = full.world.ended.filter(
    (one) => one.instance === instance && one.ended_ms >= from && one.ended_ms < to,
  ).length;
  const card = page.getByRole('region', {name: 'Ended, by reason'});
  await card.getByText(`${its} in this range`).waitFor();
  const cells = await page.getByRole('grid', {name: 'Routes'}).getByRole('row').locator('[role=gridcell]:nth-child(4)');
  assert.equal(
    (await cells.allTextContents()).reduce((sum, one) => sum + Number(one), 0),
    its,
  );
  await card.getByRole('link', {name: 'Ended, by reason'}).click();
  await page.getByRole('status').getByText(`of ${its} sessions`).waitFor();
  await page.goBack();
  await page.getByRole('link', {name: 'all incidents'}).click();
  const lost = page.getByRole('region', {name: 'Proxy lost'});
  await lost.waitFor();
  const counts = (await page.locator('.incident header .badge').allTextContents()).map(Number);
  const died = full.world.ended.filter(
    (one) => one.abnormal && one.instance === instance && one.ended_ms >= from && one.ended_ms < to,
  ).length;
  assert.equal(
    counts.reduce((sum, one) => sum + one, 0),
    died,
  );
  assert.deepEqual(
    counts,
    [...counts].sort((a, b) => b - a),
  );
});

await flow('a lost live connection is said and comes back by itself', async (page) => {
  await page.goto(full.url);
  await page.getByText(/sessions open now/).waitFor();
  full.refuseLive(true);
  full.dropLive();
  await page.getByText('No live connection.').waitFor();
  await page.getByRole('button', {name: 'Try now'}).click();
  full.refuseLive(false);
  await page.getByText('No live connection.').waitFor({state: 'detached'});
});

await flow('while the console is away or hangs nothing of then is shown as of now', async (page) => {
  const away = await start({root});
  const past = /\d+ sessions were open at .*, when the console was last heard from; how many are now is not known/;
  const present = [/sessions? open now/, 'Proxies now', 'as of now', 'Needs attention now', 'connected since'];
  const ways = [
    [() => away.hang(true), () => away.hang(false), /The console has been silent since/],
    [() => (away.refuseLive(true), away.dropLive()), () => away.refuseLive(false), 'No live connection.'],
  ];
  for (const [go, back, banner] of ways) {
    await page.goto(away.url);
    await page.getByText(/\d+ sessions open now/).waitFor();
    await page.getByRole('heading', {name: 'Proxies now'}).waitFor();
    const frozen = page.getByRole('listitem').filter({hasText: 'client missed 2 heartbeats'}).locator('.when');
    await frozen.getByText(/silent for/).waitFor();
    go();
    await page.getByText(past).waitFor();
    await page.getByText(banner).waitFor();
    await page.getByRole('heading', {name: /^Proxies at \d\d:/}).waitFor();
    await page.getByText(/then; how they are now is not known/).waitFor();
    await page.getByText(/open, rates and buffers as of \d\d:/).waitFor();
    for (const words of present) {
      const shown = page.locator('main').getByText(words, {exact: typeof words === 'string'});
      assert.equal(await shown.count(), 0, `${words}`);
    }
    assert.equal(await page.locator('.dot.good').count(), 0);
    // No figure of then without its time, and no clock that goes on.
    for (const value of await page.locator('.fleet-value').all()) assert.match(await value.textContent(), / at \d\d:/);
    const silent = await frozen.textContent();
    await page.waitForTimeout(2500); // a clock that went on would have by then
    assert.equal(await frozen.textContent(), silent);
    await page
      .getByText(/The console has not been heard from since/)
      .first()
      .waitFor();
    back();
    await page
      .getByRole('button', {name: 'Try now'})
      .click({timeout: 3000})
      .catch(() => undefined);
    await page.getByText(/\d+ sessions open now/).waitFor();
    await page.getByRole('heading', {name: 'Proxies now'}).waitFor();
  }
  await away.close();
});

await flow('a search that fails says so and can be tried again', async (page) => {
  full.fail('/spans');
  await page.goto(`${full.url}/traces`);
  await page.getByText('The search took longer than 5 s.').waitFor({timeout: 20_000});
  full.fail(null);
  await page.getByRole('button', {name: 'Try again'}).click();
  await page.getByRole('row').nth(2).waitFor();
});

await flow('a cell of the heat map leads to exactly the spans it counts', async (page) => {
  await page.goto(`${full.url}/operations?range=3h&service=voice-bridge&operation=realtime_inference`);
  const map = page.getByRole('application', {name: /Duration of realtime_inference over time: [\d,.k ]+ spans from/});
  await map.focus();
  await page.keyboard.press('ArrowLeft');
  const readout = await page.locator('.heat-readout').textContent();
  const many = Number(/^(\d+) spans?/.exec(readout)?.[1]);
  assert.ok(many >= 1, readout);
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/traces\?view=spans&service=voice-bridge&operation=realtime_inference&from=\d+&to=\d+&low=/);
  await page
    .getByRole('status')
    .getByText(`${many} span${many === 1 ? '' : 's'}`, {exact: true})
    .waitFor();
  assert.equal(await page.getByRole('row').count(), many + 1);
});

await flow('the slowest of all calls is on top, whatever came lately, and the rest can be followed', async (page) => {
  await page.goto(`${full.url}/traces?range=3h`);
  await page.getByRole('row').nth(2).waitFor();
  await page.getByRole('button', {name: 'First chunk', exact: true}).click();
  await page.waitForURL(/sort=first_chunk/);
  const list = await (await fetch(`${full.url}/api/v1/spans?calls=true&sort=first_chunk&limit=1`)).json();
  const slowest = list.spans[0];
  await page.waitForFunction(
    (id) => document.querySelector('.table-body [role=row] a')?.getAttribute('href')?.includes(id),
    slowest.span_id,
  );
  const foot = page.getByRole('status').filter({hasText: /^50 of [\d,]+ calls$/});
  await foot.waitFor();
  await page.getByRole('button', {name: 'Load more'}).click();
  await page
    .getByRole('status')
    .filter({hasText: /^100 of [\d,]+ calls$/})
    .waitFor();
  await page.getByRole('application', {name: /^Duration of 100 calls over time/}).focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/traces\/[0-9a-f]{32}\?span=/);
});

await flow('the rate of an operation is of the time that is past and known', async (page) => {
  const now = Date.now(),
    rates = [];
  // Two hours of an hour ago and of an hour to come; and six days of which nobody recorded more than five.
  for (const [from, to, known] of [
    [now - 3_600_000, now + 3_600_000, 3600],
    [full.world.started - 6 * 86_400_000, full.world.started, 5 * 86_400],
  ]) {
    await page.goto(`${full.url}/operations?from=${from}&to=${to}`);
    const row = page.getByRole('grid', {name: 'Operations'}).getByRole('row').nth(1);
    await row.getByText(/^[\d.]+\/s$/).waitFor();
    const number = async (at) => {
      const text = (await row.getByRole('gridcell').nth(at).textContent()).replaceAll(',', '');
      return parseFloat(text) * (/k$/.test(text) ? 1000 : 1);
    };
    rates.push((await number(2)) / ((await number(1)) / known));
  }
  for (const one of rates) assert.ok(one > 0.9 && one < 1.1, `${rates}`);
});

await flow('operations beyond one page are sorted, searched and summed by the console', async (page) => {
  await page.goto(`${full.url}/operations?range=3h`);
  await page.getByRole('status').filter({hasText: '200 of 1,210 operations'}).waitFor();
  await page.getByLabel('Part of an operation’s or a service’s name').fill('tool_119');
  await page.getByRole('status').filter({hasText: '11 operations'}).waitFor();
  assert.equal(full.asked.filter((one) => /^\/latency.*search=tool_119/.test(one)).length, 1);
});

await flow('a number of a group leads to the calls it counts', async (page) => {
  await page.goto(`${full.url}/traces?view=groups&by=attribute&key=gen_ai.request.model&figure=first_chunk&range=3h`);
  const row = page.getByRole('row', {name: /^gpt-realtime /});
  await row.waitFor();
  const number = row.getByRole('gridcell').nth(2);
  const many = await number.textContent();
  await number.getByRole('link').click();
  await page.waitForURL(/attribute=gen_ai\.request\.model%3Agpt-realtime/);
  await page
    .getByRole('status')
    .filter({hasText: `of ${many} calls`})
    .waitFor();
});

await flow('/ finds anything from anywhere, by keys alone', async (page) => {
  await page.goto(`${full.url}/operations`);
  await page.getByRole('heading', {name: 'Operations'}).waitFor();
  const box = page.getByRole('combobox', {name: 'Search for anything'});
  await page.keyboard.press('/');
  await page.keyboard.type('dead02');
  await page.getByRole('option', {name: /f0dead02/}).waitFor();
  assert.equal(
    await box.getAttribute('aria-activedescendant'),
    await page.getByRole('option', {selected: true}).getAttribute('id'),
  );
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.pathname === `/sessions/${full.world.vanished.id}`);

  await page.keyboard.press('/');
  await page.keyboard.type('no such thing');
  await page.getByText(/Nothing is known by “no such thing”/).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');

  full.fail('/search');
  await box.fill('bridge');
  await page.getByRole('status').getByText('The search took longer than 5 s.').waitFor({timeout: 20_000});
  full.fail(null);
  await box.fill('10.');
  await page.getByRole('group', {name: /^Clients/}).waitFor();
  const second = page.getByRole('option').nth(1);
  await page.keyboard.press('ArrowDown');
  await page.waitForFunction(() => document.querySelectorAll('[role=option]')[1]?.ariaSelected === 'true');
  const name = (await second.locator('.search-label').textContent()).trim();
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.searchParams.get('client') === name);
});

await flow('Enter before the answer opens what comes', async (page) => {
  await page.goto(full.url);
  await page.getByRole('combobox', {name: 'Search for anything'}).pressSequentially('frozen', {delay: 0});
  await page.getByRole('combobox', {name: 'Search for anything'}).fill(full.world.frozen.id);
  await page.keyboard.press('Enter');
  await page.waitForURL((url) => url.pathname === `/sessions/${full.world.frozen.id}`);
});

await flow('what happened: two moments say what changed, and an entry leads to its sessions', async (page) => {
  await page.goto(`${full.url}/happened?range=3h`);
  await page.getByRole('row').nth(3).waitFor();
  await page.getByRole('button', {name: 'Deaths'}).click();
  await page.waitForURL(/kind=deaths/);
  await page.waitForFunction(() =>
    [...document.querySelectorAll('.table-body [role=row] .badge')].every((one) => one.textContent === 'deaths'),
  );
  const marks = page.getByRole('button', {name: /^Mark /});
  await marks.nth(0).click();
  await page.getByText(/Mark a second moment/).waitFor();
  await marks.nth(9).click();
  await page
    .getByRole('region', {name: 'What changed'})
    .getByText(/sessions? died/)
    .waitFor();
  const row = page.getByRole('row').nth(4);
  const many = Number(await row.getByRole('gridcell').nth(3).textContent());
  await row.focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/sessions\?state=ended.*from=\d+&to=\d+/);
  await page
    .getByRole('status')
    .getByText(`${many} of ${many} session${many === 1 ? '' : 's'}`, {exact: true})
    .waitFor();
});

await flow('on a small screen titles and times of what happened can be read whole', async (page) => {
  await page.setViewportSize({width: 390, height: 844});
  await page.goto(`${full.url}/happened?range=24h`);
  await page.getByRole('row').nth(6).waitFor();
  const cut = await page.evaluate(
    () =>
      [...document.querySelectorAll('.table-body [role=row]')].flatMap((row) =>
        [...row.querySelectorAll('.cell')].slice(0, 2).filter((one) => one.scrollWidth > one.clientWidth),
      ).length,
  );
  assert.equal(cut, 0);
  const overlap = await page.evaluate(() => {
    const rows = [...document.querySelectorAll('.table-body [role=row]')].map((one) => one.getBoundingClientRect());
    return rows.filter((one, i) => i > 0 && one.top < rows[i - 1].bottom - 1).length;
  });
  assert.equal(overlap, 0);
});

await flow('what changed says how much of either window nobody saw', async (page) => {
  const {from, to} = full.world.outage;
  await page.goto(`${full.url}/happened?range=3h&a=${from - 60_000}&b=${to + 60_000}`);
  const sum = page.getByRole('region', {name: 'What changed'}).locator('.changes-sum');
  await sum.getByText('2 m 20 s of it unseen').waitFor();
  assert.equal((await sum.textContent()).match(/unseen/g).length, 1);
  await page.goto(`${full.url}/happened?range=3h&a=${to}&b=${to + 300_000}`);
  await sum.getByText('2 m 20 s of it unseen').waitFor();
  assert.match(await sum.textContent(), /from [\d:]+; .*unseen\)\.$/);
});

await flow('a trace of one span shows all of it at once', async (page) => {
  await page.goto(`${full.url}/traces/${full.alone}`);
  await page.getByRole('complementary', {name: 'Span realtime_inference'}).getByText('Longest pause').waitFor();
  assert.equal(await page.getByRole('button', {name: 'Close the details'}).count(), 0);
});

await flow(
  'the slow part of a slow answer: first chunk, gap, tool call, and the view is in the address',
  async (page) => {
    await page.goto(`${full.url}/traces/${id('a1')}`);
    await page.getByRole('row', {name: /realtime_inference/}).click();
    await page.getByRole('complementary', {name: 'Span realtime_inference'}).getByText('2.61 s').first().waitFor();
    await page.getByRole('row', {name: /realtime_inference/}).focus();
    await page.keyboard.press('+');
    await page.keyboard.press('ArrowLeft');
    await page.waitForURL(/fold=3/);
    const before = page.url(),
      rows = await page.getByRole('row').count();
    await page.reload();
    await page.getByRole('row', {name: /realtime_inference/}).waitFor();
    assert.equal(page.url(), before);
    assert.equal(await page.getByRole('row').count(), rows);
    assert.ok(rows < 6);
  },
);

await flow('a call says its outcome, and a span its status, by the same words everywhere', async (page) => {
  await page.goto(`${full.url}/traces?range=3h`);
  await page.getByRole('row').nth(2).waitFor();
  await page.getByRole('button', {name: /Outcome/}).click();
  await page.getByRole('option', {name: 'ok', exact: true}).click();
  await page.waitForURL(/attribute=websocket\.invocation\.status%3Aok/);
  const calls = page.getByRole('grid', {name: 'Calls'});
  await page.waitForFunction(() => {
    const cells = [...document.querySelectorAll('[aria-label=Calls] .table-body [role=row] > :nth-child(2)')];
    return cells.length > 5 && cells.every((one) => one.textContent === 'ok');
  });
  await calls.getByRole('columnheader', {name: 'Outcome'}).waitFor();
  await calls.getByRole('row').nth(1).getByRole('link').first().click();
  const details = page.getByRole('complementary', {name: /^Span /});
  await details.getByText('Span status').waitFor();
  const facts = await details
    .locator('.facts')
    .evaluate((list) =>
      Object.fromEntries([...list.querySelectorAll('dt')].map((one) => [one.textContent, one.nextSibling.textContent])),
    );
  assert.deepEqual([facts.Outcome, facts['Span status']], ['ok', 'unset']);
  await page.goto(`${full.url}/traces?range=3h&view=spans`);
  const spans = page.getByRole('grid', {name: 'Spans'});
  await spans.getByRole('columnheader', {name: 'Status'}).waitFor();
  await page.getByRole('row').nth(2).waitFor();
  assert.equal(await spans.getByText('ok', {exact: true}).count(), 0);
  assert.ok((await spans.getByText('unset', {exact: true}).count()) > 5);
});

await flow('a trace scrolls with the page, and its details are in sight of the chosen span', async (page) => {
  const inner = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('main *')]
        .filter((one) => /auto|scroll/.test(getComputedStyle(one).overflowY) && one.scrollHeight > one.clientHeight)
        .map((one) => one.className),
    );
  const seen = (locator) =>
    locator.evaluate((one) => {
      const {top, bottom} = one.getBoundingClientRect();
      return top < window.innerHeight && bottom > 60;
    });
  for (const [width, height] of [
    [1440, 900],
    [390, 844],
  ]) {
    await page.setViewportSize({width, height});
    // By the address, far down; and then another, by a click after scrolling on.
    await page.goto(`${full.url}/traces/${id('b2')}`);
    const deep = (await (await fetch(`${full.url}/api/v1/traces/${id('b2')}`)).json()).spans[7000].span_id;
    await page.goto(`${full.url}/traces/${id('b2')}?span=${deep}`);
    const details = page.locator('main aside'),
      chosen = page.locator('.wf-row.chosen');
    await details.waitFor();
    await chosen.waitFor();
    await page.waitForFunction(() => {
      const {top, bottom} = document.querySelector('.details').getBoundingClientRect();
      return top < window.innerHeight - 40 && bottom > 120;
    });
    assert.ok(await seen(chosen));
    assert.deepEqual(await inner(), []);
    // All of the details can be read.
    const last = details.locator('.values > div').last();
    await last.scrollIntoViewIfNeeded();
    assert.ok(await seen(last));
    await page.getByRole('button', {name: 'Close the details'}).click();
    await details.waitFor({state: 'detached'});
    await page.evaluate(() => window.scrollBy(0, 40_000));
    await page.waitForFunction(
      () => [...document.querySelectorAll('.wf-row')].filter((one) => one.getBoundingClientRect().top > 300).length > 8,
    );
    const y = await page.evaluate(() => window.scrollY);
    await page.mouse.click(width * 0.6, height - 100);
    await details.waitFor();
    assert.ok(await seen(details.getByRole('heading').first()));
    assert.equal(await page.evaluate(() => window.scrollY), y);
  }
});

await flow('no string from outside becomes markup', async (page) => {
  await page.goto(`${full.url}/traces/${id('c3')}?span=0000000000000009`);
  await page.getByRole('row', {name: /<img src=x/}).waitFor();
  assert.equal((await page.locator('main img').count()) + (await page.locator('main script').count()), 0);
  for (const text of ['2 cycles of parents', 'missing parent', 'clock off', 'ends before it starts'])
    await page.getByText(text).first().waitFor();
});

await flow('10,000 spans: first paint, scrolling, zooming', async (page) => {
  await page.addInitScript(() => {
    globalThis.tasks = [];
    new PerformanceObserver((list) => globalThis.tasks.push(...list.getEntries().map((one) => one.duration))).observe({
      type: 'longtask',
      buffered: true,
    });
    new MutationObserver((_, observer) => {
      if (!document.querySelector('.wf-row')) return;
      observer.disconnect();
      requestAnimationFrame(() =>
        requestAnimationFrame(() => {
          globalThis.painted = performance.now();
        }),
      );
    }).observe(document, {childList: true, subtree: true});
  });
  await page.goto(`${full.url}/traces/${id('b2')}`);
  await page.waitForFunction(() => globalThis.painted !== undefined);
  const painted = await page.evaluate(() => globalThis.painted);
  await page.waitForTimeout(500);
  const scrolled = await page.evaluate(async () => {
    const frames = [];
    globalThis.tasks.length = 0;
    let last = performance.now();
    for (let i = 0; i < 150; i++) {
      window.scrollTo(0, i < 100 ? i * 180 : (i - 100) * 5000);
      await new Promise((resolve) => requestAnimationFrame(resolve));
      frames.push(performance.now() - last);
      last = performance.now();
    }
    frames.sort((a, b) => a - b);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return {
      median: frames[75],
      p95: frames[142],
      worst: frames[149],
      longest: Math.max(0, ...globalThis.tasks),
      rows: document.querySelectorAll('.wf-row').length,
    };
  });
  await page.evaluate(() => {
    globalThis.tasks.length = 0;
  });
  await page.getByRole('row').first().focus();
  for (let i = 0; i < 10; i++) await page.keyboard.press(i < 6 ? '+' : 'd');
  const zoomed = await page.evaluate(() => Math.max(0, ...globalThis.tasks));
  console.log(
    `  first paint ${painted.toFixed(0)} ms after navigation; ` +
      `scrolling: median frame ${scrolled.median.toFixed(1)} ms, p95 ${scrolled.p95.toFixed(1)}, ` +
      `worst ${scrolled.worst.toFixed(1)}, longest task ${scrolled.longest.toFixed(0)} ms, ` +
      `${scrolled.rows} rows in the document; longest task while zooming ${zoomed.toFixed(0)} ms`,
  );
  assert.ok(scrolled.rows < 100);
});

await browser.close();
await Promise.all([full.close(), locked.close()]);
process.exit(failed ? 1 : 0);
