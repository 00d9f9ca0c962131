// Nothing is lost, doubled, swapped or damaged, and the counters say exactly what both ends counted.
//
// Default: 200 sessions × 50 messages/s × 160 B for 5 s, in each of ws/wss × permessage-deflate off/on between Node's
// `ws`, and once between Boost.Beast. SOCKEYE_E2E_FULL: 1,000 sessions for 60 s, all four between Boost.Beast, which
// keeps the pace on two cores where two Node processes, compressing, cannot.
import assert from 'node:assert/strict';
import {describe, it} from 'node:test';
import {Authority} from '../lib/certs.js';
import {binary} from '../lib/process.js';
import {eventually} from '../lib/wait.js';
import {child, listening, metrics, program, proxy, quiet} from './support.js';

const full = Boolean(process.env.SOCKEYE_E2E_FULL);
const [sessions, seconds] = full ? [1000, 60] : [200, 5];
const rate = 50;
const patience = 300_000; // a busy machine falls behind the clock; nothing here measures how far

interface Variant {
  peers: 'Node' | 'Beast';
  tls: boolean;
  deflate: boolean;
}
const four = (peers: Variant['peers']): Variant[] =>
  [false, true].flatMap((tls) => [false, true].map((deflate) => ({peers, tls, deflate})));
const variants = full ? four('Beast') : [...four('Node'), {peers: 'Beast' as const, tls: true, deflate: true}];

const beast = process.env.BEAST_LOAD ?? binary('beast_load');
const load = (peers: Variant['peers'], mode: 'server' | 'client', ...args: string[]) =>
  peers === 'Beast' ? child(`beast_load ${mode}`, beast, [mode, ...args]) : program(`load_${mode}`, ...args);

describe(`${sessions} sessions × ${rate} messages/s × 160 B × ${seconds} s`, () => {
  const authority = new Authority();
  const certificate = authority.issue('both');
  for (const {peers, tls, deflate} of variants)
    it(`${peers}, ${tls ? 'wss' : 'ws'} on both sides, permessage-deflate ${deflate ? 'on' : 'off'}`, {
      timeout: patience,
    }, async (context) => {
      const server = load(
        peers,
        'server',
        ...(tls ? ['--tls', certificate.certificate, certificate.key] : []),
        ...(deflate ? ['--deflate'] : []),
      );
      const scheme = tls ? 'wss' : 'ws';
      const url = `${scheme}://127.0.0.1:${await listening(server)}`;
      const one = await proxy({
        routes: [
          {
            upstream: tls ? {url, tls: {ca: authority.ca}} : url,
            ...(tls ? {tls: {certificate: certificate.certificate, key: certificate.key}} : {}),
          },
        ],
      });
      const clients = load(
        peers,
        'client',
        `${scheme}://127.0.0.1:${one.port}/`,
        '--sessions',
        String(sessions),
        '--rate',
        String(rate),
        '--seconds',
        String(seconds),
        '--ca',
        authority.ca,
        ...(deflate ? ['--deflate'] : []),
      );
      // What a failed test leaves running would starve the next one.
      context.after(() => Promise.all([clients.stop(), server.stop(), one.stop()]));
      await clients.saw(/^connected$/m, 120_000);
      assert.equal((await metrics(one)).sum('websocket_connections_active'), sessions);
      const sent = JSON.parse((await clients.saw(/^report (.+)$/m, patience))[1]!);
      assert.deepEqual(sent.wrong, []);
      const total = sessions * rate * seconds;
      assert.equal(sent.sent, total);
      assert.equal(sent.received, total);
      assert.deepEqual(sent.closes, {1000: sessions});

      const counted = await quiet(one);
      await eventually('the server saw every end', async () => {
        server.line('report');
        return (await server.saw(/^report .+"open":0/m, 5000)) !== undefined;
      });
      const served = JSON.parse(
        server.out
          .match(/^report (.+)$/gm)!
          .at(-1)!
          .slice('report '.length),
      );
      assert.deepEqual(served.wrong, []);
      assert.equal(served.received, total);
      const direction = (name: string) => ({
        messages: counted.sum('websocket_messages_total', {direction: name, type: 'binary'}),
        bytes: counted.sum('websocket_message_bytes_total', {direction: name}),
        sizes: counted.sum('websocket_message_size_bytes_count', {direction: name}),
      });
      assert.deepEqual(direction('c2s'), {messages: sent.sent, bytes: sent.sentBytes, sizes: total});
      assert.deepEqual(direction('s2c'), {messages: sent.received, bytes: sent.receivedBytes, sizes: total});
      assert.equal(served.receivedBytes, sent.sentBytes);
      assert.equal(served.sentBytes, sent.receivedBytes);
      if (!deflate) assert.equal(sent.sentBytes, total * 160);
      assert.equal(counted.sum('websocket_anomalies_total'), 0);
      assert.equal(counted.sum('websocket_closes_total', {code: '1000', reason: 'normal'}), sessions);
      context.diagnostic(
        `${total} messages each way, ${sent.lateMs} ms behind the clock, ` +
          `proxy RSS ${(one.process.rss() / 1e6).toFixed(1)} MB`,
      );
    });
});
