// The console's gRPC port among clients that mean it ill, with and without its token: an exporter is served all the
// while, what was taken is given back, and those who flood are told to calm down and cut off.
import assert from 'node:assert/strict';
import {readdirSync, writeFileSync} from 'node:fs';
import {connect, type Socket} from 'node:net';
import {once} from 'node:events';
import {join} from 'node:path';
import {after, before, describe, it} from 'node:test';
import {Client, credentials, Metadata} from '@grpc/grpc-js';
import {attack, attacks, type Target} from '../lib/http2_attack.js';
import {temporaryFolder} from '../lib/process.js';
import {eventually, Lateness, pause} from '../lib/wait.js';
import {type Console, console_} from './console.js';

const mb = 1 << 20,
  token = 'a-token-that-is-long-enough-0123456789',
  method = '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  enhanceYourCalm = 11;
let one: Console, exporter: Client, target: Target;
let resident = 0,
  descriptors = 0;

// An empty request, which is one all the same.
function send(): Promise<void> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const as = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) =>
    exporter.makeUnaryRequest(method, as, as, Buffer.alloc(0), metadata, {deadline: Date.now() + 20_000}, (error) =>
      error ? reject(error) : resolve(),
    ),
  );
}
const files = (): number => readdirSync(`/proc/${one.pid}/fd`).length;

// Sends until `work` is done; the longest an answer took, in milliseconds.
async function beside(work: Promise<unknown>): Promise<number> {
  let busy = true,
    worst = 0;
  const done = work.finally(() => (busy = false));
  while (busy) {
    const begun = performance.now();
    await send();
    worst = Math.max(worst, performance.now() - begun);
    await pause(10);
  }
  await done;
  return worst;
}

before(async () => {
  const file = join(temporaryFolder(), 'token');
  writeFileSync(file, `${token}\n`, {mode: 0o600});
  one = await console_({arguments: ['--token-file', file], token});
  exporter = new Client(one.grpc, credentials.createInsecure());
  target = {address: one.grpc, method};
  for (let i = 0; i < 20; ++i) await send();
  resident = one.rss();
  descriptors = files();
});
after(() => exporter?.close());

const floods = new Set([
  'rapid reset',
  'whole calls, reset',
  'PING',
  'SETTINGS',
  'PRIORITY',
  'WINDOW_UPDATE',
  'unknown frames',
  'header bomb',
]);

async function withstand(name: string, known: boolean): Promise<void> {
  const late = new Lateness();
  let peak = 0;
  const looking = setInterval(() => (peak = Math.max(peak, one.rss())), 20);
  const all = Array.from({length: 4}, () =>
    attack({...target, ...(known ? {token} : {})}, attacks[name]!, 8 * mb, 700),
  );
  const worst = await beside(Promise.all(all)).finally(() => clearInterval(looking));
  assert.ok(worst < 2000 + late.stop(), `${name}: the exporter waited ${worst} ms`);
  for (const each of await Promise.all(all)) {
    if (!floods.has(name) && !(known && /DATA/.test(name))) continue;
    assert.ok(each.cut && each.sent < 8 * mb, `${name}: it was let go on, ${each.sent} bytes`);
    // Closing with bytes unread resets the connection, and the reset may overtake what was said.
    if (each.goaway !== undefined) assert.equal(each.goaway, enhanceYourCalm, name);
  }
  await eventually(`${name}: descriptors come back`, () => files() <= descriptors + 2, 15_000);
  peak = Math.max(peak, one.rss());
  assert.ok(peak - resident < 64 * mb, `${name}: resident memory grew by ${((peak - resident) / mb).toFixed(1)} MiB`);
}

describe('an exporter is served among', () => {
  for (const name of Object.keys(attacks)) it(name, () => withstand(name, false));
  for (const name of Object.keys(attacks)) it(`${name}, with the token`, () => withstand(name, true));
});

it('connections by the thousand that say nothing make room', async () => {
  const port = Number(target.address.split(':').pop()),
    idle: Socket[] = [];
  let gone = 0;
  try {
    for (let i = 0; i < 2000; ++i) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined).on('close', () => ++gone);
      idle.push(socket);
      if (i % 100 === 99) await Promise.all([once(socket, 'connect'), send()]);
    }
    await eventually('the oldest made room', () => gone >= 900, 15_000);
    const another = new Client(one.grpc, credentials.createInsecure());
    const waits = new Promise<void>((resolve, reject) =>
      another.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve())),
    );
    await waits.finally(() => another.close());
    await send();
    assert.ok(
      one.rss() - resident < 64 * mb,
      `resident memory grew by ${((one.rss() - resident) / mb).toFixed(1)} MiB`,
    );
  } finally {
    for (const socket of idle) socket.destroy();
  }
  await eventually('descriptors come back', () => files() <= descriptors + 2, 15_000);
});
