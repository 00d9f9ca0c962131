// Cases that only something between two peers can fail. Both ends are raw, so every byte on either leg is known.
//
//   P.1 requests that are no handshake     P.6 around the closing handshake    P.10 handshakes and bytes in a hurry
//   P.2 answers that are no handshake      P.7 compressed streams              P.11 verbatim, whatever the split
//   P.3 frames that break the rules        P.8 our own pings
//   P.4 lengths and limits                 P.9 two peers' extension settings
import assert from 'node:assert/strict';
import {deflateRawSync, constants} from 'node:zlib';
import {matchesAccept, proxyTable} from './proxy_table.js';
import {Bench, type Pair} from './bench.js';
import {closePayload, encode, type Frame, opcodes} from '../lib/frame.js';
import {Compressor, Decompressor} from '../lib/deflate.js';
import {type Endpoint, open, upgradeResponse} from '../lib/endpoint.js';
import {eventually, Lateness} from '../lib/wait.js';

export interface ProxyResult {
  id: string;
  what: string;
  error: string; // "" = good
  ms: number;
}
interface ProxyCase {
  id: string;
  what: string;
  run: (bench: Bench) => Promise<void>;
}

const text = (payload: string | Buffer, extra: Partial<Frame> = {}): Frame => ({
  opcode: opcodes.text,
  payload: Buffer.from(payload as string),
  ...extra,
});
const sides = ['client', 'server'] as const;
const other = (side: 'client' | 'server') => (side === 'client' ? 'server' : 'client');

// A message each way arrives: the session works.
async function works(pair: Pair): Promise<void> {
  for (const from of sides) {
    const to = pair[other(from)];
    const before = to.messages().length;
    await pair[from].text(`hello from the ${from}`);
    assert.ok(await to.until(() => to.messages().length > before, 10_000), `a message from the ${from} arrives`);
  }
}
async function finished(pair: Pair): Promise<void> {
  await pair.client.shut();
  pair.server.finish();
  await pair.server.until(() => pair.server.ended !== undefined, 10_000);
  pair.server.destroy();
}
const got = async (end: Endpoint, count: number, what: string): Promise<void> => {
  assert.ok(
    await end.until(() => end.messages().length >= count, 5000),
    `${what}: ${end.messages().length} of ${count} messages, ${JSON.stringify(end.violations())}`,
  );
};

// ---- P.1, P.2

function handshakes(): ProxyCase[] {
  const requests = proxyTable.requests.map(
    ({what, status, body, anomaly, make}, i): ProxyCase => ({
      id: `P.1.${i + 1}`,
      what: `request: ${what}`,
      run: async (bench) => {
        const arrived = bench.arrived;
        const path = bench.path('pass');
        const work = async () => {
          const answer = await bench.request(make(bench, path));
          assert.equal(answer.head.status, status, answer.head.start);
          assert.match(answer.body, body);
          assert.match(answer.body, new RegExp(`^${status} `), 'the reason body begins with the status');
          assert.ok(answer.ended, 'the connection is closed');
          if (status === 426) assert.equal(answer.head.get('sec-websocket-version'), '13');
        };
        await (anomaly ? bench.counts(anomaly, '', work) : work());
        assert.equal(bench.arrived, arrived, 'the upstream never hears of it');
      },
    }),
  );
  const answers = proxyTable.answers.map(
    ({what, status, body, relayed, uncounted, make}, i): ProxyCase => ({
      id: `P.2.${i + 1}`,
      what: `answer: ${what}`,
      run: async (bench) => {
        const path = bench.path(status === 504 ? 'timing' : 'pass');
        const arriving = bench.upstream(path).then(([socket, request]) => {
          const bytes = make(request);
          if (bytes !== undefined) socket.end(Buffer.from(bytes, 'latin1'));
        });
        const work = async () => {
          const [answer] = await Promise.all([
            bench.request(
              bench.upgrade(path, {'Sec-WebSocket-Protocol': 'chat', 'Sec-WebSocket-Extensions': 'permessage-deflate'}),
            ),
            arriving,
          ]);
          assert.equal(answer.head.status, status, answer.head.start);
          assert.match(answer.body, body);
        };
        await (relayed || uncounted || status === 504 ? work() : bench.counts('upstream_invalid', 'pass', work));
      },
    }),
  );
  return [
    ...requests,
    ...answers,
    {
      id: `P.2.${proxyTable.answers.length + 1}`,
      what: "the answer's Accept fits the client's own key, byte for byte",
      run: async (bench) => {
        const pair = await bench.pair();
        matchesAccept(pair);
        await works(pair);
        await finished(pair);
      },
    },
  ];
}

// ---- P.3, P.4

// `bad` from one side closes both with `code`; what was good ahead of it arrives.
function violation(
  id: string,
  what: string,
  from: 'client' | 'server',
  bad: Frame[],
  code: number,
  anomaly: string,
  options: {route?: string; extensions?: string; raw?: Buffer} = {},
): ProxyCase {
  return {
    id,
    what: `${what}, from the ${from}`,
    run: async (bench) => {
      const route = options.route ?? 'pass';
      const pair = await bench.pair(route, {extensions: options.extensions}, {extensions: options.extensions});
      const to = other(from);
      await pair[from].text('good');
      await got(pair[to], 1, 'the good message');
      await bench.counts(anomaly, route, async () => {
        await pair[from].write(
          options.raw ?? Buffer.concat([...bad, text('behind it')].map((frame) => encode(frame, from === 'client'))),
        );
        await bench.bothClosed(pair, code, {[to]: 1});
      });
    },
  };
}

function frames(): ProxyCase[] {
  const pmd = {extensions: 'permessage-deflate'};
  const out: ProxyCase[] = [];
  let n = 0;
  const both = (
    what: string,
    bad: Frame[],
    code: number,
    anomaly: string,
    options: Parameters<typeof violation>[6] = {},
  ) => {
    for (const from of sides) out.push(violation(`P.3.${++n}`, what, from, bad, code, anomaly, options));
  };
  out.push(
    violation(
      `P.3.${++n}`,
      'unmasked frame',
      'client',
      [text('plain', {masked: false})],
      1002,
      'unmasked_client_frame',
    ),
  );
  out.push(
    violation(`P.3.${++n}`, 'masked frame', 'server', [text('masked', {masked: true})], 1002, 'masked_server_frame'),
  );
  out.push(
    violation(`P.3.${++n}`, 'unmasked ping', 'client', [{opcode: 9, masked: false}], 1002, 'unmasked_client_frame'),
  );
  out.push(
    violation(
      `P.3.${++n}`,
      'masked Close',
      'server',
      [{opcode: 8, payload: closePayload(1000), masked: true}],
      1002,
      'masked_server_frame',
    ),
  );
  both('length 5 in 16 bits', [text('short', {lengthForm: 16})], 1002, 'length_not_minimal');
  both('length 5 in 64 bits', [text('short', {lengthForm: 64})], 1002, 'length_not_minimal');
  both('length 65535 in 64 bits', [text('x'.repeat(65535), {lengthForm: 64})], 1002, 'length_not_minimal');
  both(
    'a ping whose length is in 16 bits',
    [{opcode: 9, payload: Buffer.alloc(5), lengthForm: 16}],
    1002,
    'length_not_minimal',
  );
  both(
    '64-bit length with the top bit set',
    [text('', {lengthForm: 64, announced: 1n << 63n})],
    1002,
    'length_too_large',
  );
  both(
    '64-bit length of all ones',
    [text('', {lengthForm: 64, announced: (1n << 64n) - 1n})],
    1002,
    'length_too_large',
  );
  both(
    'RSV1 on a continuation, permessage-deflate on',
    [text('a', {fin: false}), {opcode: 0, payload: Buffer.from('b'), rsv: 4}],
    1002,
    'reserved_bits',
    pmd,
  );
  both('RSV1 on a ping, permessage-deflate on', [{opcode: 9, rsv: 4}], 1002, 'reserved_bits', pmd);
  both(
    'RSV1 on a Close, permessage-deflate on',
    [{opcode: 8, payload: closePayload(1000), rsv: 4}],
    1002,
    'reserved_bits',
    pmd,
  );
  both('RSV2 on a text, permessage-deflate on', [text('x', {rsv: 2})], 1002, 'reserved_bits', pmd);
  both('RSV1 on a text, permessage-deflate declined by the server', [text('x', {rsv: 4})], 1002, 'reserved_bits');
  both('Close with code 1005', [{opcode: 8, payload: closePayload(1005)}], 1002, 'close_code_invalid');
  both('Close of one byte', [{opcode: 8, payload: Buffer.from([3])}], 1002, 'close_payload_truncated');
  both(
    'Close whose reason is not UTF-8',
    [{opcode: 8, payload: closePayload(1000, Buffer.from([0xff]))}],
    1007,
    'close_reason_invalid',
  );
  both('fragmented ping', [{opcode: 9, fin: false}], 1002, 'control_fragmented');

  // Limits: what is announced is enough, nobody waits for it to be sent.
  n = 0;
  const limit = (
    what: string,
    bad: Frame[],
    code: number,
    anomaly: string,
    options: Parameters<typeof violation>[6] = {},
  ) => {
    for (const from of sides) out.push(violation(`P.4.${++n}`, what, from, bad, code, anomaly, options));
  };
  const header = (from: 'client' | 'server', length: bigint) => ({
    raw: encode(text('', {lengthForm: 64, announced: length}), from === 'client'),
  });
  for (const from of sides)
    out.push(
      violation(
        `P.4.${++n}`,
        '2^63-1 bytes announced and nothing sent',
        from,
        [],
        1009,
        'frame_too_large',
        header(from, (1n << 63n) - 1n),
      ),
    );
  limit('frame over the limit', [text('x'.repeat(65537))], 1009, 'frame_too_large', {route: 'small'});
  limit(
    'message over the limit',
    [
      text('x'.repeat(60000), {fin: false}),
      ...[1, 2].map((): Frame => ({opcode: 0, payload: Buffer.alloc(60000, 0x78), fin: false})),
    ],
    1009,
    'message_too_large',
    {route: 'small'},
  );
  limit(
    'more fragments than allowed',
    [
      text('x', {fin: false}),
      ...Array.from({length: 101}, (): Frame => ({opcode: 0, payload: Buffer.from('y'), fin: false})),
    ],
    1008,
    'too_many_fragments',
    {route: 'small'},
  );
  limit(
    'more empty fragments than allowed',
    [text('', {fin: false}), ...Array.from({length: 101}, (): Frame => ({opcode: 0, fin: false}))],
    1008,
    'too_many_fragments',
    {route: 'small'},
  );
  for (const opcode of [9, 10])
    for (const from of sides)
      out.push({
        id: `P.4.${++n}`,
        what: `flood of ${opcode === 9 ? 'pings' : 'pongs'}, from the ${from}`,
        run: async (bench) => {
          const pair = await bench.pair('small');
          pair[other(from)].answerPings = false;
          await bench.counts('control_flood', 'small', async () => {
            await pair[from].write(Buffer.concat(Array.from({length: 400}, () => encode({opcode}, from === 'client'))));
            await bench.bothClosed(pair, 1008);
          });
        },
      });
  // Well inside every limit.
  for (const from of sides)
    out.push({
      id: `P.4.${++n}`,
      what: `a frame of exactly the limit, from the ${from}`,
      run: async (bench) => {
        const pair = await bench.pair('small');
        await pair[from].text('x'.repeat(65536));
        await got(pair[other(from)], 1, 'the message');
        await finished(pair);
      },
    });
  return out;
}

// ---- P.5 conformance: forward

function forwarding(): ProxyCase[] {
  const wrong: [string, string, Frame][] = [
    ['reserved opcode', 'reserved_opcode', {opcode: 3, payload: Buffer.from('x')}],
    ['RSV1 without permessage-deflate', 'reserved_bits', text('x', {rsv: 4})],
    ['text that is not UTF-8', 'invalid_utf8', text(Buffer.from([0xff]))],
    ['length not minimal', 'length_not_minimal', text('x', {lengthForm: 64})],
  ];
  return wrong
    .filter(([, anomaly]) => anomaly !== 'invalid_utf8')
    .flatMap(([what, anomaly, frame], i) =>
      sides.map(
        (from, half): ProxyCase => ({
          id: `P.5.${i * 2 + half + 1}`,
          what: `conformance: forward passes on and counts: ${what}, from the ${from}`,
          run: async (bench) => {
            const pair = await bench.pair('forward');
            const to = pair[other(from)];
            const seen: number[] = [];
            to.onFrame = (received) => seen.push(received.opcode);
            await bench.counts(anomaly, 'forward', async () => {
              const before = to.received;
              const bytes = encode(frame, from === 'client');
              await pair[from].write(bytes);
              assert.ok(
                await to.until(() => to.received === before + bytes.length || to.violations().length > 0, 10_000),
                'the frame arrives',
              );
              assert.deepEqual(seen, [frame.opcode]);
            });
            pair.client.reset();
            pair.server.destroy();
          },
        }),
      ),
    );
}

// ---- P.6

function closing(): ProxyCase[] {
  const out: ProxyCase[] = [];
  for (const from of sides) {
    const to = other(from);
    out.push(
      {
        id: `P.6.${out.length + 1}`,
        what: `bytes behind the ${from}'s Close reach nobody; the Close arrives as it was sent`,
        run: async (bench) => {
          const pair = await bench.pair();
          await bench.counts('frame_after_close', 'pass', async () => {
            await pair[from].send({opcode: 8, payload: closePayload(4321, 'because')}, text('late'), {opcode: 9});
            await pair[from].until(() => pair[from].close !== undefined, 10_000);
          });
          assert.equal(pair[to].close?.code, 4321);
          assert.equal(pair[to].close?.reason.toString(), 'because');
          assert.equal(pair[from].close?.code, 4321, 'the answer comes back');
          assert.equal(pair[to].messages().length, 0);
          assert.deepEqual(pair[to].violations(), []);
          pair.server.finish();
          await pair.client.until(() => pair.client.ended !== undefined, 10_000);
          assert.ok(pair.client.ended, "the server ends TCP, and so the client's leg ends");
          pair.client.destroy();
        },
      },
      {
        id: `P.6.${out.length + 2}`,
        what: `data of the other side still passes between the ${from}'s Close and its answer`,
        run: async (bench) => {
          const pair = await bench.pair();
          pair[to].answerClose = false;
          await pair[from].sendClose(1000);
          await pair[to].until(() => pair[to].close !== undefined, 10_000);
          await pair[to].text('one more thing');
          await got(pair[from], 1, 'the message');
          await pair[to].sendClose(1000);
          await pair[from].until(() => pair[from].close !== undefined, 10_000);
          assert.equal(pair[from].close?.code, 1000);
          pair.server.finish();
          await pair.client.until(() => pair.client.ended !== undefined, 10_000);
          pair.client.destroy();
        },
      },
      {
        id: `P.6.${out.length + 3}`,
        what: `half-close: a FIN from the ${from} without Close reaches the other side; its last message still passes`,
        run: async (bench) => {
          const pair = await bench.pair();
          pair[to].autoEnd = false;
          await bench.counts('half_close', 'pass', async () => {
            pair[from].finish();
            assert.ok(await pair[to].until(() => pair[to].ended !== undefined, 10_000), 'the FIN arrives');
          });
          assert.equal(pair[to].ended, 'fin');
          await pair[to].text('last words');
          await got(pair[from], 1, 'the last message');
          pair[to].finish();
          assert.ok(await pair[from].until(() => pair[from].ended !== undefined, 10_000));
          pair.client.destroy();
          pair.server.destroy();
        },
      },
      {
        id: `P.6.${out.length + 4}`,
        what: `a half-closed session ends with close_timeout when the other side of the ${from} keeps its half open`,
        run: async (bench) => {
          const pair = await bench.pair('timing');
          pair[to].autoEnd = false;
          const late = new Lateness();
          const begun = performance.now();
          pair[from].finish();
          await pair[from].until(() => pair[from].ended !== undefined, 5000);
          const took = performance.now() - begun;
          assert.ok(
            pair[from].ended && took > 490 && took < 2500 + late.stop(),
            `released after ${took} ms, close_timeout is 500 ms`,
          );
          pair.client.destroy();
          pair.server.destroy();
        },
      },
      {
        id: `P.6.${out.length + 5}`,
        what: `RST from the ${from} releases the other side`,
        run: async (bench) => {
          const pair = await bench.pair();
          pair[from].reset();
          assert.ok(await pair[to].until(() => pair[to].ended !== undefined, 10_000));
          pair[to].destroy();
        },
      },
      {
        id: `P.6.${out.length + 6}`,
        what: `a FIN of the ${from} in the middle of a frame is counted as truncated`,
        run: async (bench) => {
          const pair = await bench.pair();
          await bench.counts('truncated', 'pass', async () => {
            await pair[from].write(encode(text('x'.repeat(1000)), from === 'client').subarray(0, 500));
            pair[from].finish();
            assert.ok(await pair[to].until(() => pair[to].ended !== undefined, 10_000));
          });
          pair.client.destroy();
          pair.server.destroy();
        },
      },
      {
        id: `P.6.${out.length + 7}`,
        what: `a Close the other side of the ${from} never answers ends with close_timeout`,
        run: async (bench) => {
          const pair = await bench.pair('timing');
          pair[to].answerClose = false;
          const late = new Lateness();
          const begun = performance.now();
          await pair[from].sendClose(1000);
          await pair[from].until(() => pair[from].ended !== undefined, 5000);
          const took = performance.now() - begun;
          assert.ok(
            pair[from].ended && took > 490 && took < 2500 + late.stop(),
            `released after ${took} ms, close_timeout is 500 ms`,
          );
          pair.client.destroy();
          pair.server.destroy();
        },
      },
    );
  }
  out.push({
    id: `P.6.${out.length + 1}`,
    what: "both sides' Closes cross: each gets the other's",
    run: async (bench) => {
      const pair = await bench.pair();
      await Promise.all([pair.client.sendClose(4001), pair.server.sendClose(4002)]);
      await Promise.all(sides.map((side) => pair[side].until(() => pair[side].close !== undefined, 10_000)));
      assert.deepEqual([pair.client.close?.code, pair.server.close?.code], [4002, 4001]);
      pair.server.finish();
      assert.ok(await pair.client.until(() => pair.client.ended !== undefined, 10_000));
      pair.client.destroy();
    },
  });
  return out;
}

// ---- P.7

function compressed(): ProxyCase[] {
  const pmd = {extensions: 'permessage-deflate'};
  const squeeze = (data: Buffer | string) =>
    deflateRawSync(data, {finishFlush: constants.Z_SYNC_FLUSH}).subarray(0, -4);
  const words = Buffer.from('the weir, the salmon and the long light of the morning '.repeat(20));
  const message = (payload: Buffer): Frame => ({opcode: opcodes.text, payload, rsv: 4});
  const out: ProxyCase[] = [];
  const add = (what: string, run: ProxyCase['run']) => out.push({id: `P.7.${out.length + 1}`, what, run});
  const bad = (what: string, payload: Buffer, code: number, anomaly: string) => {
    for (const from of sides) {
      const one = violation(`P.7.${out.length + 1}`, `${what}, observed`, from, [message(payload)], code, anomaly, {
        route: 'observe',
        ...pmd,
      });
      out.push(one);
    }
  };
  const cut = squeeze(words);
  bad('a deflate stream cut in its middle', cut.subarray(0, cut.length >> 1), 1007, 'deflate_invalid');
  bad(
    'a deflate stream with garbage behind it',
    Buffer.concat([cut, Buffer.from([0xff, 0xff, 0xff])]),
    1007,
    'deflate_invalid',
  );
  bad('no deflate stream at all', Buffer.from([0xff, 0xfe, 0xfd]), 1007, 'deflate_invalid');
  bad('text that is not UTF-8 once inflated', squeeze(Buffer.from([0x68, 0xff, 0x69])), 1007, 'invalid_utf8');
  bad('1000:1, past the message limit', squeeze(Buffer.alloc(64 << 20, 0x61)), 1009, 'deflate_bomb');

  for (const route of ['pass', 'observe'])
    for (const from of sides) {
      const to = other(from);
      // Any number of messages with context takeover, in fragments and with pings between, whatever the blocks are.
      add(`blocks of every kind arrive as they were sent, ${route}, from the ${from}`, async (bench) => {
        const pair = await bench.pair(route, pmd, pmd);
        const compressor = new Compressor(15, false, 6);
        const reader = new Decompressor(15, false);
        const plain = [
          '',
          'x',
          words.toString(),
          words.toString(),
          words.subarray(0, 300).toString(),
          'é'.repeat(10_000),
        ];
        for (const each of plain) {
          const payload = await compressor.message(Buffer.from(each));
          const half = payload.length >> 1;
          await pair[from].send(
            {opcode: 1, payload: payload.subarray(0, half), rsv: 4, fin: false},
            {opcode: 9},
            {opcode: 0, payload: payload.subarray(half)},
          );
        }
        await got(pair[to], plain.length, 'messages');
        for (const [i, received] of pair[to].messages().entries())
          assert.equal((await reader.message(received.payload)).toString(), plain[i]);
        compressor.end();
        reader.end();
        await finished(pair);
      });
      add(`BFINAL=1, stored and uncompressed messages arrive, ${route}, from the ${from}`, async (bench) => {
        const pair = await bench.pair(
          route,
          {extensions: 'permessage-deflate; client_no_context_takeover; server_no_context_takeover'},
          {extensions: 'permessage-deflate; client_no_context_takeover; server_no_context_takeover'},
        );
        const final = deflateRawSync(words); // its block has BFINAL set (RFC 7692 §7.2.3.4)
        // §7.2.3.3
        const stored = deflateRawSync(words, {level: 0, finishFlush: constants.Z_SYNC_FLUSH}).subarray(0, -4);
        const hello = Buffer.from('f248cdc9c907 00'.replace(' ', ''), 'hex'); // §7.2.3.1
        const two = Buffer.from('f24805000000ffffcac9c90700', 'hex'); // §7.2.3.5: two blocks
        const payloads = [Buffer.concat([final, Buffer.from([0])]), stored, hello, two];
        await pair[from].send(...payloads.map(message), text('not compressed'));
        await got(pair[to], payloads.length + 1, 'messages');
        for (const [i, payload] of payloads.entries())
          assert.ok(pair[to].messages()[i]!.payload.equals(payload), `message ${i} is verbatim`);
        assert.equal(pair[to].messages()[4]!.compressed, false);
        await finished(pair);
      });
      add(
        `1000:1 inside the limit${route === 'pass' ? ' or not inflated' : ''} arrives, ${route}, from the ${from}`,
        async (bench) => {
          const pair = await bench.pair(route, pmd, pmd);
          const payload = squeeze(Buffer.alloc(route === 'pass' ? 64 << 20 : 1 << 20, 0x61));
          await pair[from].send(message(payload));
          await got(pair[to], 1, 'the message');
          assert.ok(pair[to].messages()[0]!.payload.equals(payload));
          await finished(pair);
        },
      );
    }
  add('a stream cut, with garbage, or bad passes when nothing is inflated', async (bench) => {
    const pair = await bench.pair('pass', pmd, pmd);
    await pair.client.send(message(cut.subarray(0, 20)), message(Buffer.from([0xff, 0xfe])));
    await got(pair.server, 2, 'messages');
    await finished(pair);
  });
  return out;
}

// ---- P.8

function heartbeats(): ProxyCase[] {
  const pingOf = (end: Endpoint) => end.log.flatMap((event) => (event.kind === 'ping' ? [event.payload] : []));
  const out: ProxyCase[] = [];
  const add = (what: string, run: ProxyCase['run']) => out.push({id: `P.8.${out.length + 1}`, what, run});
  const beating = async (bench: Bench): Promise<Pair> => {
    const pair = await bench.pair('beat');
    for (const side of sides) pair[side].recordPings = true;
    return pair;
  };
  for (const from of sides) {
    const to = other(from);
    add(`our ping comes between fragments of the ${from}'s message, which stays whole`, async (bench) => {
      const pair = await beating(bench);
      await pair[from].send(text('first ', {fin: false}));
      assert.ok(await pair[to].until(() => pingOf(pair[to]).length > 0, 10_000), 'a ping between the fragments');
      await pair[from].send({opcode: 0, payload: Buffer.from('second'), fin: true});
      await got(pair[to], 1, 'the message');
      assert.equal(pair[to].messages()[0]!.payload.toString(), 'first second');
      assert.deepEqual(pair[to].violations(), []);
      await finished(pair);
    });
    add(`our ping waits for the end of the ${from}'s frame`, async (bench) => {
      const pair = await beating(bench);
      const bytes = encode(text('x'.repeat(2000)), from === 'client');
      pair[from].answerPings = false; // it cannot, within its own frame
      await pair[from].write(bytes.subarray(0, 1000));
      await pair[to].until(() => false, 900); // three intervals: nothing may come into the frame
      assert.equal(pingOf(pair[to]).length, 0);
      await pair[from].write(bytes.subarray(1000));
      await got(pair[to], 1, 'the message');
      assert.ok(await pair[to].until(() => pingOf(pair[to]).length > 0, 10_000), 'and the ping behind it');
      assert.deepEqual(pair[to].violations(), []);
      await finished(pair);
    });
    add(
      `the ${from}'s pong to our ping does not reach the other side; its unsolicited pongs, pings and answers do`,
      async (bench) => {
        const pair = await beating(bench);
        pair[to].answerPings = false;
        assert.ok(await pair[from].until(() => pingOf(pair[from]).length >= 2, 10_000), 'two of our pings');
        const mine = pingOf(pair[from]).map(String);
        await pair[from].send(
          {opcode: 10, payload: Buffer.from('unsolicited')},
          {opcode: 10},
          {opcode: 9, payload: Buffer.from('my own')},
        );
        assert.ok(
          await pair[to].until(() => pingOf(pair[to]).some((payload) => payload.toString() === 'my own'), 10_000),
          'its ping arrives',
        );
        const pongs = pair[to].log.flatMap((event) => (event.kind === 'pong' ? [event.payload.toString()] : []));
        assert.deepEqual(pongs, ['unsolicited', '']);
        assert.ok(!pongs.some((payload) => mine.includes(payload)));
        await pair[to].send({opcode: 10, payload: Buffer.from('my own')});
        assert.ok(
          await pair[from].until(
            () => pair[from].log.some((event) => event.kind === 'pong' && event.payload.toString() === 'my own'),
            10_000,
          ),
          'and its pong comes back',
        );
        await finished(pair);
      },
    );
    add(`a pong that repeats the ping of another session of ours passes, from the ${from}`, async (bench) => {
      const first = await beating(bench);
      assert.ok(await first[from].until(() => pingOf(first[from]).length > 0, 10_000));
      const pair = await bench.pair('pass');
      await pair[from].send({opcode: 10, payload: pingOf(first[from])[0]!});
      assert.ok(
        await pair[other(from)].until(() => pair[other(from)].log.some((event) => event.kind === 'pong'), 10_000),
      );
      await finished(first);
      await finished(pair);
    });
    add(`no ping of ours behind the ${from}'s Close`, async (bench) => {
      const pair = await beating(bench);
      pair[to].answerClose = false;
      await pair[from].sendClose(1000);
      await pair[to].until(() => pair[to].close !== undefined, 10_000);
      const before = sides.map((side) => pingOf(pair[side]).length);
      await pair[from].until(() => false, 900); // three intervals
      assert.deepEqual(
        sides.map((side) => pingOf(pair[side]).length),
        before,
      );
      assert.deepEqual(pair[to].violations(), []);
      await pair[to].sendClose(1000);
      pair.server.finish();
      await pair.client.until(() => pair.client.ended !== undefined, 10_000);
      pair.client.destroy();
    });
  }
  return out;
}

// ---- P.9

function extensions(): ProxyCase[] {
  const out: ProxyCase[] = [];
  const add = (what: string, run: ProxyCase['run']) => out.push({id: `P.9.${out.length + 1}`, what, run});
  const settings = [
    [
      'permessage-deflate; client_max_window_bits',
      'permessage-deflate; client_max_window_bits=10; server_max_window_bits=12',
    ],
    [
      'permessage-deflate; server_no_context_takeover; client_max_window_bits=12',
      'permessage-deflate; server_no_context_takeover; client_max_window_bits=9',
    ],
    [
      'permessage-deflate; server_max_window_bits=10, permessage-deflate',
      'permessage-deflate; server_max_window_bits=10; client_no_context_takeover',
    ],
    [
      'permessage-deflate; client_max_window_bits=8; server_max_window_bits=8',
      'permessage-deflate; client_max_window_bits=8; server_max_window_bits=8',
    ],
  ] as const;
  for (const route of ['pass', 'observe'])
    for (const [offer, answer] of settings)
      add(`"${answer}", ${route}: each direction with its own settings`, async (bench) => {
        const pair = await bench.pair(route, {extensions: offer}, {extensions: answer});
        assert.equal(pair.server.head.get('sec-websocket-extensions'), offer, 'the offer arrives as it was made');
        assert.equal(pair.client.head.get('sec-websocket-extensions'), answer, 'and so does the answer');
        const bits = (who: string) => Number(new RegExp(`${who}_max_window_bits=(\\d+)`).exec(answer)?.[1] ?? 15);
        for (const from of sides) {
          const compressor = new Compressor(bits(from), answer.includes(`${from}_no_context_takeover`), 9);
          const to = pair[other(from)];
          const reader = new Decompressor(Math.max(bits(from), 9), answer.includes(`${from}_no_context_takeover`));
          const plain = Array.from({length: 20}, (_, i) => `${i} ${'current stone weir light '.repeat(1 + i * 11)}`);
          for (const each of plain)
            await pair[from].send({opcode: 1, payload: await compressor.message(Buffer.from(each)), rsv: 4});
          await got(to, plain.length, 'messages');
          for (const [i, received] of to.messages().entries())
            assert.equal((await reader.message(received.payload)).toString(), plain[i]);
          compressor.end();
          reader.end();
        }
        await finished(pair);
      });
  add('an offer the server does not take: both sides speak uncompressed', async (bench) => {
    const pair = await bench.pair('pass', {extensions: 'permessage-deflate; client_max_window_bits'}, {});
    assert.equal(pair.client.head.get('sec-websocket-extensions'), undefined);
    await works(pair);
    await finished(pair);
  });
  add('compression: decline strips the offer, and only it', async (bench) => {
    const pair = await bench.pair(
      'decline',
      {extensions: 'permessage-deflate; client_max_window_bits, x-private; a=1'},
      {},
    );
    assert.equal(pair.server.head.get('sec-websocket-extensions'), 'x-private; a=1');
    await works(pair);
    await finished(pair);
    const bare = await bench.pair('decline', {extensions: 'permessage-deflate'}, {});
    assert.equal(bare.server.head.get('sec-websocket-extensions'), undefined);
    await works(bare);
    await finished(bare);
  });
  add('an extension nobody here knows passes, and its reserved bits are not judged', async (bench) => {
    const pair = await bench.pair('pass', {extensions: 'x-private; a=1'}, {extensions: 'x-private; a=1'});
    const seen: number[] = [];
    pair.server.onFrame = (frame) => seen.push(frame.rsv);
    await pair.client.send(text('x', {rsv: 3}));
    assert.ok(await pair.server.until(() => seen.length === 1, 10_000));
    assert.deepEqual(seen, [3]);
    pair.client.reset();
    pair.server.destroy();
  });
  return out;
}

// ---- P.10, P.11

function pipelined(): ProxyCase[] {
  const out: ProxyCase[] = [];
  const add = (what: string, run: ProxyCase['run']) => out.push({id: `P.10.${out.length + 1}`, what, run});
  const many = (count: number, masked: boolean) =>
    Buffer.concat(Array.from({length: count}, (_, i) => encode(text(`message ${i}`), masked)));
  for (const [what, count] of [
    ['a frame', 1],
    ['10,000 frames', 10_000],
  ] as const) {
    add(`${what} pipelined behind the request`, async (bench) => {
      const pair = await bench.pair('pass', {behind: many(count, true)});
      await got(pair.server, count, 'messages');
      assert.equal(pair.server.messages()[count - 1]!.payload.toString(), `message ${count - 1}`);
      await works(pair);
      await finished(pair);
    });
    add(`${what} pipelined behind the 101`, async (bench) => {
      const pair = await bench.pair('pass', {}, {behind: many(count, false)});
      await got(pair.client, count, 'messages');
      assert.equal(pair.client.messages()[count - 1]!.payload.toString(), `message ${count - 1}`);
      await works(pair);
      await finished(pair);
    });
  }
  add('half a frame behind the request and half behind the 101', async (bench) => {
    const [up, down] = [encode(text('from the client'), true), encode(text('from the server'), false)];
    const pair = await bench.pair('pass', {behind: up.subarray(0, 5)}, {behind: down.subarray(0, 5)});
    await pair.client.write(up.subarray(5));
    await pair.server.write(down.subarray(5));
    await got(pair.server, 1, "the client's message");
    await got(pair.client, 1, "the server's message");
    await finished(pair);
  });
  add('a bad frame behind the request fails both legs', async (bench) => {
    const pair = await bench.pair('pass', {behind: encode(text('x', {masked: false}), true)});
    await bench.bothClosed(pair, 1002);
  });
  add('a Close behind the 101', async (bench) => {
    const pair = await bench.pair(
      'pass',
      {},
      {behind: encode({opcode: 8, payload: closePayload(4000, 'go away')}, false)},
    );
    await pair.client.until(() => pair.client.close !== undefined, 10_000);
    assert.equal(pair.client.close?.code, 4000);
    pair.server.closeSent = true;
    await pair.server.until(() => pair.server.close !== undefined, 10_000);
    pair.server.finish();
    assert.ok(await pair.client.until(() => pair.client.ended !== undefined, 10_000));
    pair.client.destroy();
  });
  add('request and answer, a byte at a time', async (bench) => {
    const path = bench.path('pass');
    const socket = await open({port: bench.proxy.port});
    const arriving = bench.upstream(path).then(async ([peer, request]) => {
      for (const byte of Buffer.from(upgradeResponse(request), 'latin1'))
        await new Promise((done) => peer.write(Buffer.of(byte), done));
      return peer;
    });
    for (const byte of Buffer.from(bench.upgrade(path), 'latin1'))
      await new Promise((done) => socket.write(Buffer.of(byte), done));
    const [answer, peer] = await Promise.all([bench.answer(socket), arriving]);
    assert.equal(answer.head.status, 101);
    peer.destroy();
  });

  const split = (what: string, run: ProxyCase['run']) => out.push({id: `P.11.${out.length - 8 + 1}`, what, run});
  for (const from of sides)
    split(
      `every byte of a mixed stream its own write, from the ${from}: the other side gets the same bytes`,
      async (bench) => {
        const pair = await bench.pair('pass');
        const to = pair[other(from)];
        to.answerPings = false;
        const stream = Buffer.concat(
          [
            text('héllo'),
            text('a', {fin: false}),
            {opcode: 9, payload: Buffer.from('mid')},
            {opcode: 0, payload: Buffer.from('b'), fin: true},
            {opcode: 2, payload: Buffer.alloc(300, 7)},
            text(''),
            {opcode: 10, payload: Buffer.alloc(125, 1)},
            {opcode: 2, payload: Buffer.alloc(66_000, 9)},
          ].map((frame) => encode(frame as Frame, from === 'client')),
        );
        const seen: Buffer[] = [];
        to.socket.on('data', (bytes: Buffer) => seen.push(Buffer.from(bytes)));
        await pair[from].chop(stream.subarray(0, 700), 1);
        await pair[from].chop(stream.subarray(700), 4001);
        await to.until(() => to.received >= stream.length, 5000);
        assert.ok(Buffer.concat(seen).equals(stream), 'verbatim, mask keys included');
        await finished(pair);
      },
    );
  split('end-to-end headers survive both ways, hop-by-hop ones do not', async (bench) => {
    const pair = await bench.pair(
      'pass',
      {
        headers: [
          'X-One: 1',
          'X-one: 2',
          'Cookie: a=b; c="d"',
          'Keep-Alive: timeout=5',
          'Proxy-Authorization: Basic eA==',
          'User-Agent: test',
        ],
        protocols: 'chat, superchat',
      },
      {
        headers: ['Set-Cookie: s=1', 'Set-Cookie: t=2', 'X-Server: yes', 'Keep-Alive: timeout=9'],
        protocol: 'superchat',
      },
    );
    assert.equal(pair.server.head.get('x-one'), '1, 2');
    assert.equal(pair.server.head.get('cookie'), 'a=b; c="d"');
    assert.equal(pair.server.head.get('user-agent'), 'test');
    assert.equal(pair.server.head.get('keep-alive'), undefined);
    assert.equal(pair.server.head.get('proxy-authorization'), undefined);
    assert.equal(pair.server.head.get('sec-websocket-protocol'), 'chat, superchat');
    assert.equal(pair.client.head.get('set-cookie'), 's=1, t=2');
    assert.equal(pair.client.head.get('x-server'), 'yes');
    assert.equal(pair.client.head.get('keep-alive'), undefined);
    assert.equal(pair.client.head.get('sec-websocket-protocol'), 'superchat');
    await finished(pair);
  });
  return out;
}

export const proxyCases = (): ProxyCase[] => [
  ...handshakes(),
  ...frames(),
  ...forwarding(),
  ...closing(),
  ...compressed(),
  ...heartbeats(),
  ...extensions(),
  ...pipelined(),
];

// One after the other: what each adds to the counters is part of what is checked.
export async function runProxyCases(
  wanted: (id: string) => boolean,
  progress: (done: number, of: number) => void,
): Promise<ProxyResult[]> {
  const cases = proxyCases().filter((one) => wanted(one.id));
  if (!cases.length) return [];
  const bench = await Bench.start();
  const results: ProxyResult[] = [];
  try {
    for (const one of cases) {
      const begun = Date.now();
      let error = '';
      await one
        .run(bench)
        .catch((thrown: unknown) => (error = thrown instanceof Error ? thrown.message : String(thrown)));
      results.push({id: one.id, what: one.what, error: error.replaceAll('\n', ' '), ms: Date.now() - begun});
      progress(results.length, cases.length);
      if (bench.proxy.process.exited) throw new Error(`the proxy died in ${one.id}: ${bench.proxy.log.slice(-2000)}`);
    }
    await eventually(
      'no session is left behind',
      async () => (await bench.metrics()).sum('websocket_connections_active') === 0,
      15_000,
    ).catch((thrown: unknown) =>
      results.push({id: 'P.12.1', what: 'no session is left behind', error: String(thrown), ms: 0}),
    );
  } finally {
    await bench.stop();
  }
  return results;
}
