// Sessions that a live proxy recorded: observed again with the same spans, to the byte, and exported as HAR.
import assert from 'node:assert/strict';
import {readdirSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {describe, it} from 'node:test';
import Ajv from 'ajv';
import {freePorts, sockeye, temporaryFolder} from '../lib/process.js';
import {eventually} from '../lib/wait.js';
import {browser, patience} from './chromium.js';
import {type Collector, collector, exported} from './collector.js';
import {backend, child, connected, proxy, quiet, roundTrip, shut} from './support.js';

// Answers JSON-RPC, refuses every third call, and echoes what is binary.
async function server(): Promise<number> {
  const one = await backend({echo: false, deflate: true});
  one.accepted = (socket) =>
    socket.on('message', (data: Buffer, binary: boolean) => {
      if (binary) return socket.send(data, {binary});
      const {id} = JSON.parse(String(data));
      const outcome = id % 3 ? {result: 'r'.repeat(id * 40)} : {error: {code: -32000, message: 'no'}};
      socket.send(JSON.stringify({jsonrpc: '2.0', id, ...outcome}));
    });
  return one.port;
}

const recorded = (directory: string, payload = true) => ({
  capture: {directory},
  privacy: {payload: payload ? 'capture' : 'never'},
});
const files = (directory: string): string[] => readdirSync(directory).map((name) => join(directory, name));

async function run(...args: string[]): Promise<string> {
  const one = child('sockeye', sockeye(), args);
  assert.equal(await one.exit(60_000), 0, one.err);
  return one.out;
}

// Keeps what comes, to the byte.
function bytesOf(one: Collector): {spans: string[]; resources: Record<string, unknown>[]} {
  const kept = {spans: [] as string[], resources: [] as Record<string, unknown>[]};
  one.keepEncoded = ({spans, resource}) => {
    kept.spans.push(...spans);
    kept.resources.push(resource);
  };
  return kept;
}

// What Chromium's own developer tools, as a page of its debugging port, show of the archive's first entry: text, length
// and time of each message.
async function shownByDevTools(archive: string, messages: number): Promise<string[][]> {
  const [port] = await freePorts(1);
  const one = await browser(`--remote-debugging-port=${port}`, '--remote-allow-origins=*');
  const context = await one.newContext({timezoneId: 'UTC'});
  await context.newPage();
  const targets = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {id: string; url: string}[];
  const target = targets.find((each) => each.url === 'about:blank')!;
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  const socket = `127.0.0.1:${port}/devtools/page/${target.id}`;
  await page.goto(`http://127.0.0.1:${port}/devtools/devtools_app.html?ws=${socket}&panel=network`);
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', {name: /Import HAR/}).click();
  await (await chooser).setFiles(archive);
  await page.locator('tr td.name-column').first().click();
  await page.getByRole('tab', {name: 'Messages'}).click();
  const cells = (column: string) => page.locator(`td.${column}-column`).filter({hasText: /./}).allTextContents();
  await eventually(`${messages} messages are shown`, async () => (await cells('time')).length === messages, patience);
  const [data, length, time] = [await cells('data'), await cells('length'), await cells('time')];
  return data.map((text, at) => [text, length[at]!, time[at]!]);
}

describe('recordings', () => {
  it('are observed again with the spans that were exported live', async () => {
    const [live, first, second] = [await collector(), await collector(), await collector()];
    const [seen, again, thirdTime] = [bytesOf(live), bytesOf(first), bytesOf(second)];
    const directory = join(temporaryFolder(), 'captures');
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${await server()}`, capture: 'all', trace: {messages: 1}}],
      config: {...exported(live.endpoint), ...recorded(directory)},
    });
    const sessions = 6;
    for (let number = 0; number < sessions; ++number) {
      const socket = await connected(`ws://127.0.0.1:${one.port}/calls/${number}?token=secret`, {
        perMessageDeflate: number % 2 ? {threshold: 0} : false,
      });
      for (let id = 1; id <= 5; ++id)
        await roundTrip(socket, JSON.stringify({jsonrpc: '2.0', id, method: `m${id}`, params: 'p'.repeat(99)}));
      await roundTrip(socket, Buffer.alloc(70_000, number));
      if (number % 3) await shut(socket, 4000 + number);
      else socket.terminate();
    }
    await quiet(one);
    await eventually(
      'the proxy has sent all its spans',
      () => live.spans.filter((span) => span.name === 'websocket.connection').length === sessions,
      30_000,
    );
    await one.stop(); // and the recordings are written
    assert.equal(files(directory).length, sessions);
    for (const file of files(directory)) {
      const said = await run('replay', file, '--otlp', first.endpoint);
      assert.equal(await run('replay', file, '--otlp', second.endpoint), said);
    }
    // Handshake, connection, five calls, and of each of twelve messages that it was received and sent on.
    assert.equal(seen.spans.length, sessions * (2 + 5 + 12 * 2));
    for (const spans of [seen.spans, again.spans, thirdTime.spans]) spans.sort();
    assert.deepEqual(again.spans, seen.spans);
    assert.deepEqual(thirdTime.spans, seen.spans);
    // What differs is who sends them: the configured service, this start of it, and where it runs.
    const {'service.name': service, 'service.instance.id': instance, 'host.name': host, ...rest} = seen.resources[0]!;
    assert.equal(service, 'voice-bridge');
    assert.ok(instance && host);
    for (const resource of again.resources) assert.deepEqual(resource, {...rest, 'service.name': 'sockeye'});
  });

  it('are HTTP archives with the messages that were sent, and when', async () => {
    const directory = join(temporaryFolder(), 'captures');
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${(await backend({deflate: true})).port}`, capture: 'all'}],
      config: recorded(directory),
    });
    const socket = await connected(`ws://127.0.0.1:${one.port}/chat?room=1&token=secret`, {
      perMessageDeflate: {threshold: 0},
      headers: {cookie: 'id=secret'},
    });
    const sent: {data: string | Buffer; from: number; to: number}[] = [];
    for (const data of ['h\u00e9llo', '', '\u{1f41f}'.repeat(30_000), Buffer.from([0, 1, 254, 255]), Buffer.alloc(0)]) {
      const from = Date.now() / 1000;
      await roundTrip(socket, data);
      sent.push({data, from, to: Date.now() / 1000});
    }
    socket.ping('no message');
    await shut(socket);
    await quiet(one);
    await one.stop();

    const [file] = files(directory);
    const har = JSON.parse(await run('capture', 'export', file!));
    const load = createRequire(import.meta.url);
    const ajv = new Ajv({allErrors: true});
    ajv.addMetaSchema(load('ajv/lib/refs/json-schema-draft-06.json'));
    ajv.addSchema(Object.values(load('har-schema')));
    const valid = ajv.getSchema('har.json#')!;
    assert.ok(valid(har), JSON.stringify(valid.errors));
    assert.equal(valid({...har, log: {...har.log, entries: [{}]}}), false, 'the schema refuses what is no archive');

    const [entry] = har.log.entries;
    assert.equal(entry.request.url, `ws://127.0.0.1:${one.port}/chat?room=1&token=REDACTED`);
    assert.equal(entry.response.status, 101);
    assert.equal(entry._resourceType, 'websocket');
    assert.equal(JSON.stringify(har).includes('secret'), false);
    const messages: {type: string; time: number; opcode: number; data: string}[] = entry._webSocketMessages;
    assert.equal(messages.length, 2 * sent.length);
    for (const [at, {data, from, to}] of sent.entries()) {
      const binary = Buffer.isBuffer(data);
      const [there, back] = [messages[2 * at]!, messages[2 * at + 1]!];
      for (const message of [there, back]) {
        assert.equal(message.opcode, binary ? 2 : 1);
        assert.equal(message.data, binary ? data.toString('base64') : data);
        assert.ok(message.time >= from - 0.001 && message.time <= to + 0.001, `${message.time} is in ${from}…${to}`);
      }
      assert.deepEqual([there.type, back.type], ['send', 'receive']);
      assert.ok(there.time <= back.time);
    }
    assert.ok(Date.parse(entry.startedDateTime) / 1000 <= sent[0]!.from + 0.001);
  });

  it('are shown by the developer tools of a browser', async () => {
    const folder = temporaryFolder();
    const directory = join(folder, 'captures');
    const server = await backend({echo: false});
    server.accepted = (socket) => socket.on('message', (data: Buffer) => socket.send(`answer to ${data}`));
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${server.port}`, capture: 'all'}],
      config: recorded(directory),
    });
    const socket = await connected(`ws://127.0.0.1:${one.port}/chat`);
    const from = Date.now();
    for (const text of ['one', 'another']) await roundTrip(socket, text);
    const to = Date.now();
    await shut(socket);
    await quiet(one);
    await one.stop();
    const archive = join(folder, 'session.har');
    writeFileSync(archive, await run('capture', 'export', files(directory)[0]!));
    const expected = ['one', 'answer to one', 'another', 'answer to another'];
    const shown = await shownByDevTools(archive, expected.length);
    assert.deepEqual(
      shown.map(([text, length]) => [text, length]),
      expected.map((text) => [text, String(text.length)]),
    );
    const clock = (ms: number) => new Date(ms).toISOString().slice(11, 23);
    const times = shown.map(([, , time]) => time!);
    // Over midnight the clock begins anew.
    if (clock(from - 1) < clock(to + 1))
      for (const time of times) assert.ok(clock(from - 1) <= time && time <= clock(to + 1), `shown at ${time}`);
  });

  it('without payload are archives that tell sizes alone', async () => {
    const directory = join(temporaryFolder(), 'captures');
    const one = await proxy({
      routes: [{upstream: `ws://127.0.0.1:${(await backend()).port}`, capture: 'all'}],
      config: recorded(directory, false),
    });
    const socket = await connected(`ws://127.0.0.1:${one.port}/`);
    await roundTrip(socket, 'twelve bytes');
    await shut(socket);
    await quiet(one);
    await one.stop();
    const har = JSON.parse(await run('capture', 'export', files(directory)[0]!));
    const told = har.log.entries[0]._webSocketMessages.map(({time, ...rest}: {time: number}) => rest);
    assert.deepEqual(told, [
      {type: 'send', opcode: 1, data: '', _length: 12},
      {type: 'receive', opcode: 1, data: '', _length: 12},
    ]);
  });
});
