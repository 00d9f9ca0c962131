// What was acknowledged is there, once: senders that retry, a console that is killed again and again on the same data.
// It is killed by progress, not by the clock, so that every kill meets requests on machines of any speed.
// SOCKEYE_E2E_FULL: 1,000,000 spans.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {Agent, request} from 'node:http';
import {join} from 'node:path';
import {it} from 'node:test';
import {python} from '../lib/process.js';
import {eventually, pool} from '../lib/wait.js';
import {type Console, console_, nanoseconds} from './console.js';

const full = Boolean(process.env.SOCKEYE_E2E_FULL);
const perBatch = 500,
  batches = (full ? 1_000_000 : 200_000) / perBatch,
  senders = 6;
const least = full ? 10 : 4; // kills
// Batches between two kills.
const life = (): number => Math.floor((batches / (least + 1)) * (0.6 + 0.4 * Math.random()));

// A request whose ids are filled in: protobuf by hand, fields of fixed size.
const span = Buffer.concat([
  Buffer.from([0x0a, 16]),
  Buffer.alloc(16),
  Buffer.from([0x12, 8]),
  Buffer.alloc(8),
  Buffer.from([0x2a, 4]),
  Buffer.from('work'),
  Buffer.from([0x39]),
  Buffer.alloc(8),
  Buffer.from([0x41]),
  Buffer.alloc(8),
]);
const prefixed = (tag: number, content: Buffer): Buffer => {
  const head = [tag];
  let size = content.length;
  for (; size > 127; size >>>= 7) head.push((size & 127) | 128);
  return Buffer.concat([Buffer.from([...head, size]), content]);
};
const template = prefixed(
  0x0a,
  prefixed(0x12, Buffer.concat(Array.from({length: perBatch}, () => prefixed(0x12, span)))),
);
const first = template.indexOf(span),
  stride = span.length + 2;
const traceOf = (batch: number): string => `${'d'.repeat(24)}${(batch + 1).toString(16).padStart(8, '0')}`;
function bytesOf(batch: number): Buffer {
  const out = Buffer.from(template),
    trace = Buffer.from(traceOf(batch), 'hex'),
    now = nanoseconds();
  for (let i = 0; i < perBatch; ++i) {
    const at = first + i * stride;
    trace.copy(out, at + 2);
    out.writeUInt32BE(batch + 1, at + 20);
    out.writeUInt32BE(i + 1, at + 24);
    out.writeBigUInt64LE(now, at + 35);
    out.writeBigUInt64LE(now + 1000n, at + 44);
  }
  return out;
}

const agent = new Agent({keepAlive: true, maxSockets: senders});
// The status, or 0 when the connection broke: then nobody knows whether it was taken.
const post = (to: Console, body: Buffer): Promise<number> =>
  new Promise((resolve) => {
    const one = request(
      `${to.otlp}/v1/traces`,
      {method: 'POST', agent, headers: {'content-type': 'application/x-protobuf', 'content-length': body.length}},
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
        response.on('error', () => resolve(0));
      },
    );
    one.on('error', () => resolve(0));
    one.setTimeout(10_000, () => one.destroy());
    one.end(body);
  });

it(`${batches * perBatch} spans while the console is killed: each acknowledged one is kept once`, async () => {
  const one = await console_();
  let left = batches,
    broken = 0,
    later = 0,
    kills = 0;
  const sending = pool(
    senders,
    Array.from({length: batches}, (_, batch) => async () => {
      const body = bytesOf(batch);
      await eventually(
        `batch ${batch} is acknowledged`,
        async () => {
          const status = await post(one, body);
          if (status === 0) ++broken;
          else if (status !== 200) assert.ok(++later && (status === 429 || status === 503), `answered ${status}`);
          return status === 200;
        },
        120_000,
        50,
      );
      --left;
    }),
  );
  const killing = (async () => {
    for (let next = batches - life(); next > 0; next -= life()) {
      await eventually(`${batches - next} batches are acknowledged`, () => left <= next, 300_000, 1);
      await one.kill();
      ++kills;
      await one.start();
    }
  })();
  await Promise.all([sending, killing]);
  assert.ok(kills >= least && broken > 0, `${kills} kills met ${broken} requests`);

  assert.equal((await one.api('/status')).store.spans, batches * perBatch);
  for (let batch = 0; batch < batches; ++batch) {
    const {text} = await eventually(
      `trace of batch ${batch}`,
      async () => {
        const answer = await one.ask(`/api/v1/traces/${traceOf(batch)}`);
        return answer.status === 429 ? undefined : answer;
      },
      20_000,
      200,
    );
    const ids = text.match(/"span_id":"[0-9a-f]{16}"/g) ?? [];
    assert.equal(ids.length, perBatch, `batch ${batch}`);
    assert.equal(new Set(ids).size, perBatch, `batch ${batch}`);
  }
  await one.stop();
  const check = execFileSync(python, [
    '-c',
    'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("PRAGMA integrity_check").fetchall())',
    join(one.data, 'sockeye.db'),
  ]);
  assert.equal(String(check).trim(), "[('ok',)]");
});
