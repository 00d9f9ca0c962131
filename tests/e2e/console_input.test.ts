// What is wrong, odd or hostile in what is sent: answered as OTLP says, kept as far as it makes sense, and the console
// stays up.
import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import {connect} from 'node:net';
import {once} from 'node:events';
import {before, describe, it} from 'node:test';
import {deflateSync, gzipSync} from 'node:zlib';
import {eventually, withDeadline} from '../lib/wait.js';
import {
  ask,
  attributesOf,
  type Console,
  console_,
  type Json,
  nanoseconds,
  spanId,
  spansRequest,
  traceId,
} from './console.js';

// Generated protobufjs code: it has no useful types.
const root: any = createRequire(import.meta.url)('@opentelemetry/otlp-transformer/build/src/generated/root');
const {ExportTraceServiceRequest: Request, ExportTraceServiceResponse: Response} =
  root.opentelemetry.proto.collector.trace.v1;

// Protobuf by hand, for what no library writes: a length-delimited field.
const varint = (value: number): Buffer =>
  value < 128 ? Buffer.from([value]) : Buffer.concat([Buffer.from([(value & 127) | 128]), varint(value >>> 7)]);
const field = (number: number, content: Buffer | string): Buffer => {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
};
const fixed = (number: number, value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return Buffer.concat([varint((number << 3) | 1), bytes]);
};
const spanBytes = (trace: string, span: string, ...more: Buffer[]): Buffer =>
  Buffer.concat([
    field(1, Buffer.from(trace, 'hex')),
    field(2, Buffer.from(span, 'hex')),
    fixed(7, nanoseconds()),
    fixed(8, nanoseconds() + 1000n),
    ...more,
  ]);
const requestBytes = (...spans: Buffer[]): Buffer =>
  field(1, field(2, Buffer.concat(spans.map((span) => field(2, span)))));

let one: Console;
before(async () => {
  one = await console_();
});
const refused = (
  answer: {status: number; headers: Json; json: Json; text: string},
  status: number,
  code: number,
  what: RegExp,
): void => {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /json/);
  assert.equal(answer.json.code, code);
  assert.match(answer.json.message, what);
};

describe('what is no OTLP is refused, not to be sent again,', () => {
  const valid = () => Buffer.from(JSON.stringify(spansRequest([{traceId: traceId()}])));
  it('malformed protobuf: cut at every place, and noise', async () => {
    const good = requestBytes(
      spanBytes(
        traceId(),
        spanId(),
        field(5, 'name'),
        field(9, Buffer.concat([field(1, 'key'), field(2, field(1, 'value'))])),
      ),
    );
    assert.equal((await one.send('traces', good)).status, 200);
    for (let size = 1; size < good.length; ++size) {
      const answer = await one.send('traces', good.subarray(0, size));
      assert.equal(answer.status, 400, `the first ${size} bytes`);
      assert.match(answer.headers['content-type']!, /protobuf/);
      // google.rpc.Status: code 3, then a message.
      assert.deepEqual([...answer.body.subarray(0, 3)], [8, 3, 0x12]);
    }
    for (const noise of [
      Buffer.alloc(100, 0xff),
      Buffer.from('{"resourceSpans":[]}'),
      Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
      field(1, Buffer.alloc(64, 0x0b)),
    ])
      assert.equal((await one.send('traces', noise)).status, 400);
  });
  it('malformed JSON', async () => {
    const text = JSON.stringify(spansRequest([{traceId: traceId()}]));
    for (const body of [
      text.slice(0, -1),
      text.slice(0, 40),
      `${text}x`,
      '[]',
      '"text"',
      '1',
      '',
      'null',
      text.replace('"resourceSpans":[', '"resourceSpans":{"a":['),
      text.replace('"kind":1', '"kind":{}'),
      `{"resourceSpans":${'['.repeat(100_000)}`,
      `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`,
    ]) {
      const answer = await one.send('traces', Buffer.from(body), {'content-type': 'application/json'});
      refused(answer, 400, 3, /./);
    }
  });
  it('another Content-Type', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', ''])
      refused(await one.send('traces', valid(), {'content-type': type}), 415, 3, /Content-Type/);
    assert.equal((await one.send('traces', valid(), {'content-type': 'application/json; charset=utf-8'})).status, 200);
  });
  it('another Content-Encoding, or none that it says', async () => {
    const json = {'content-type': 'application/json'};
    refused(await one.send('traces', valid(), {...json, 'content-encoding': 'br'}), 415, 3, /Content-Encoding/);
    refused(await one.send('traces', valid(), {...json, 'content-encoding': 'gzip'}), 400, 3, /Content-Encoding/);
    refused(
      await one.send('traces', gzipSync(valid()).subarray(0, -10), {...json, 'content-encoding': 'gzip'}),
      400,
      3,
      /Content-Encoding/,
    );
    refused(await one.send('traces', valid(), {...json, 'content-encoding': 'zstd'}), 400, 3, /Content-Encoding/);
    assert.equal((await one.send('traces', gzipSync(valid()), {...json, 'content-encoding': 'gzip'})).status, 200);
    assert.equal(
      (await one.send('traces', deflateSync(valid()), {...json, 'content-encoding': 'deflate'})).status,
      200,
    );
  });
  it('another path or method', async () => {
    assert.equal((await one.send('spans' as 'traces', valid())).status, 404);
    const got = await ask(`${one.otlp}/v1/traces`);
    assert.deepEqual([got.status, got.headers.allow], [405, 'POST, OPTIONS']);
  });
});

describe('what is too large is refused in bounded memory,', () => {
  it('a gzip bomb', async () => {
    const before = one.rss(),
      bomb = gzipSync(Buffer.alloc(200 << 20));
    const sent = () => one.send('traces', bomb, {'content-encoding': 'gzip', 'content-type': 'application/json'});
    // Several at once may be asked to come again.
    const answers = await Promise.all(
      Array.from({length: 4}, () =>
        eventually('it is looked at', async () => {
          const answer = await sent();
          return answer.status === 429 ? undefined : answer;
        }),
      ),
    );
    for (const answer of answers) refused(answer, 413, 3, /unpacks to more/);
    assert.ok(one.rss() - before < 300 << 20, `${(one.rss() - before) >> 20} MiB more`);
  });
  it('100 MB that are announced, before a byte of them is sent', async () => {
    const {port} = new URL(one.otlp),
      socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      'POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\n' +
        'Content-Type: application/x-protobuf\r\nContent-Length: 104857600\r\n\r\n',
    );
    const [answer] = (await withDeadline(5000, 'answer', () => once(socket, 'data'))) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 413 /);
    socket.destroy();
  });
  it('and that are not announced', async () => {
    const {port} = new URL(one.otlp),
      socket = connect(Number(port), '127.0.0.1'),
      chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(1 << 20, 97), Buffer.from('\r\n')]);
    let answer = '',
      gone = false,
      sent = 0;
    socket.on('error', () => (gone = true));
    socket.on('close', () => (gone = true));
    socket.on('data', (data) => (answer += data));
    socket.write(
      'POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\n' +
        'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    for (; sent < 100 && !gone && !answer; ++sent)
      await new Promise<void>((resolve) => socket.write(chunk, () => resolve()));
    await eventually('an answer', () => answer);
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.ok(sent < 60, `${sent} MiB were taken`);
    socket.destroy();
  });
  it('a body that never comes holds up nobody else', async () => {
    const sockets = Array.from({length: 20}, () => connect(Number(new URL(one.otlp).port), '127.0.0.1'));
    for (const socket of sockets) {
      socket.on('error', () => undefined);
      socket.write(
        'POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\n' +
          'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
      );
    }
    assert.equal((await one.send('traces', spansRequest([{traceId: traceId()}]))).status, 200);
    for (const socket of sockets) socket.destroy();
  });
});

describe('spans that are odd,', () => {
  it('ids that are zero or of another length: those are rejected, the others kept', async () => {
    const id = traceId(),
      answer = await one.send(
        'traces',
        spansRequest([
          {traceId: id, name: 'good'},
          {traceId: '0'.repeat(32)},
          {traceId: id, spanId: '0'.repeat(16)},
          {traceId: id, spanId: 'ab'},
          {traceId: 'xyz'},
          {traceId: ''},
          {traceId: id, name: 'also good'},
        ]),
      );
    assert.equal(answer.status, 200);
    assert.equal(answer.json.partialSuccess.rejectedSpans, '5');
    assert.match(answer.json.partialSuccess.errorMessage, /trace id.*span id|span id.*trace id/s);
    assert.deepEqual((await one.trace(id, 2)).spans.map((span: Json) => span.name).sort(), ['also good', 'good']);
    // The same in protobuf, read with the SDK's own decoder.
    const bytes = await one.send(
      'traces',
      requestBytes(spanBytes('00'.repeat(16), spanId()), spanBytes(traceId(), spanId())),
    );
    assert.equal(bytes.status, 200);
    assert.equal(Number(Response.decode(bytes.body).partialSuccess.rejectedSpans), 1);
  });
  it('ends before starts, no times, and clocks ten years off', async () => {
    const id = traceId(),
      now = nanoseconds(),
      years = 10n * 365n * 86_400_000_000_000n;
    const times: Record<string, [bigint, bigint]> = {
      backwards: [now, now - 5_000_000_000n],
      none: [0n, 0n],
      past: [now - years, now - years + 1000n],
      future: [now + years, now + years + 1000n],
      last: [2n ** 64n - 2n, 2n ** 64n - 1n],
      long: [now - years, now + years],
      here: [now, now + 1n],
    };
    await one.send(
      'traces',
      spansRequest(
        Object.entries(times).map(([name, [start, end]]) => ({
          traceId: id,
          name,
          startTimeUnixNano: String(start),
          endTimeUnixNano: String(end),
        })),
      ),
    );
    const {spans} = await one.trace(id, 7);
    for (const span of spans) {
      const [start, end] = times[span.name]!;
      assert.equal(span.start_unix_ns, String(start), span.name);
      assert.equal(String(span.duration_ns), String(end - start), span.name); // text where it is beyond 2^53
    }
    // A search finds it, and what it says of the whole is not absurd.
    const {traces} = await one.api(
      `/traces?service=tester&from_ms=${Date.now() - 60_000}&to_ms=${Date.now() + 60_000}&limit=200`,
    );
    assert.ok(traces.some((each: Json) => each.trace_id === id));
    assert.ok(
      Array.isArray((await one.api(`/latency?from_ms=${Date.now() - 3_600_000}&to_ms=${Date.now() + 60_000}`)).rows),
    );
  });
  it('cycles of parents, parents of themselves and parents that are missing', async () => {
    const id = traceId(),
      [a, b, c, d] = ['00000000000000a1', '00000000000000a2', '00000000000000a3', '00000000000000a4'];
    await one.send(
      'traces',
      spansRequest([
        {traceId: id, spanId: a, parentSpanId: b, name: 'a'},
        {traceId: id, spanId: b, parentSpanId: a, name: 'b'},
        {traceId: id, spanId: c, parentSpanId: c, name: 'c'},
        {traceId: id, spanId: d, parentSpanId: 'ffffffffffffffff', name: 'd'},
      ]),
    );
    const {spans} = await one.trace(id, 4);
    assert.deepEqual(Object.fromEntries(spans.map((span: Json) => [span.name, span.parent_id])), {
      a: b,
      b: a,
      c,
      d: 'ffffffffffffffff',
    });
    const {traces} = await one.api(`/traces?service=tester&limit=200`);
    const row = traces.find((each: Json) => each.trace_id === id);
    assert.deepEqual([row.spans, row.root_missing], [4, true]);
    assert.equal((await one.jaeger(`/traces/${id}`))[0].spans.length, 4);
  });
  it('the same span again, in one request and in the next: once, and the first one', async () => {
    const id = traceId(),
      twin = spanId(),
      before = (await one.api('/status')).store.duplicate_spans;
    const request = (name: string) =>
      spansRequest([
        {traceId: id, spanId: twin, name},
        {traceId: id, spanId: twin, name: `${name} again`},
      ]);
    for (const name of ['first', 'second', 'third'])
      assert.equal((await one.send('traces', request(name))).status, 200);
    assert.deepEqual(
      (await one.trace(id)).spans.map((span: Json) => span.name),
      ['first'],
    );
    assert.equal((await one.api('/status')).store.duplicate_spans - before, 5);
  });
});

describe('values', () => {
  it('of every type, nested, and of 1 MB: cut and marked', async () => {
    const id = traceId(),
      text = '€'.repeat(350_000);
    const kv = (key: string, value: Json) => ({key, value});
    await one.send(
      'traces',
      spansRequest([
        {
          traceId: id,
          name: 'typed',
          attributes: [
            kv('text', {stringValue: 'x'}),
            kv('int', {intValue: '9007199254740993'}),
            kv('least', {intValue: '-9223372036854775808'}),
            kv('double', {doubleValue: 1e300}),
            kv('nan', {doubleValue: 'NaN'}),
            kv('infinity', {doubleValue: '-Infinity'}),
            kv('bool', {boolValue: false}),
            kv('bytes', {bytesValue: Buffer.from([0, 255, 16]).toString('base64')}),
            kv('nothing', {}),
            kv('list', {
              arrayValue: {values: [{stringValue: 'a'}, {intValue: 1}, {arrayValue: {values: [{boolValue: true}]}}]},
            }),
            kv('map', {kvlistValue: {values: [kv('deep', {kvlistValue: {values: [kv('n', {doubleValue: 0.5})]}})]}}),
            kv('long', {stringValue: text}),
            kv('long list', {arrayValue: {values: Array.from({length: 100_000}, (_, i) => ({intValue: i}))}}),
          ],
        },
      ]),
    );
    const {
      spans: [span],
    } = await one.trace(id);
    const {long, 'long list': list, ...values} = attributesOf(span.attributes);
    assert.deepEqual(values, {
      text: 'x',
      int: '9007199254740993',
      least: '-9223372036854775808',
      double: 1e300,
      nan: 'NaN',
      infinity: '-Infinity',
      bool: false,
      bytes: 'AP8Q',
      nothing: null,
      list: ['a', 1, [true]],
      map: {deep: {n: 0.5}},
    });
    assert.equal(Buffer.byteLength(long), 16_383, 'the last whole character below 16 KiB');
    assert.ok(text.startsWith(long));
    assert.ok(JSON.stringify(list).length < 64 * 1024);
    assert.deepEqual(
      span.attributes
        .filter((each: Json) => each.truncated)
        .map((each: Json) => each.key)
        .sort(),
      ['long', 'long list'],
    );
  });
  it('by protobuf the same', async () => {
    const id = traceId(),
      value = (any: Json) => any;
    const body = Buffer.from(
      Request.encode(
        Request.fromObject({
          resourceSpans: [
            {
              resource: {attributes: []},
              scopeSpans: [
                {
                  spans: [
                    {
                      traceId: Buffer.from(id, 'hex'),
                      spanId: Buffer.from(spanId(), 'hex'),
                      name: 'p',
                      startTimeUnixNano: 1,
                      endTimeUnixNano: 2,
                      kind: 3,
                      attributes: [
                        {key: 'bytes', value: value({bytesValue: Buffer.from([1, 2])})},
                        {key: 'list', value: value({arrayValue: {values: [{stringValue: 'a'}, {doubleValue: 2.5}]}})},
                        {key: 'map', value: value({kvlistValue: {values: [{key: 'k', value: {boolValue: true}}]}})},
                      ],
                    },
                  ],
                },
              ],
            },
          ],
        }),
      ).finish(),
    );
    assert.equal((await one.send('traces', body)).status, 200);
    const {
      spans: [span],
    } = await one.trace(id);
    assert.deepEqual(attributesOf(span.attributes), {bytes: 'AQI=', list: ['a', 2.5], map: {k: true}});
    assert.equal(span.service, 'unknown_service');
  });
  it('text that is no UTF-8 is mended, not passed on', async () => {
    const id = traceId(),
      torn = Buffer.from([0x61, 0xff, 0xfe, 0x62, 0xc3]);
    const body = requestBytes(
      spanBytes(id, spanId(), field(5, torn), field(9, Buffer.concat([field(1, torn), field(2, field(1, torn))]))),
    );
    const answer = await one.send('traces', body);
    assert.equal(answer.status, 200);
    const text = (await one.ask(`/api/v1/traces/${id}`)).body;
    new TextDecoder('utf-8', {fatal: true}).decode(text); // throws where it is not
    const {
      spans: [span],
    } = JSON.parse(String(text));
    for (const each of [span.name, span.attributes[0].key, span.attributes[0].value])
      assert.match(each, /^a\ufffd+b\ufffd$/);
  });
  it('HTML, script, SQL, NUL and direction marks come back as they were, and mean nothing', async () => {
    const nasty = [
      '<script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      "'; DROP TABLE span; --",
      "' OR 1=1 --",
      "%' AND (SELECT 1)",
      'a\u0000b',
      '\u202Eevil',
      '\\',
      '%_*?',
      '{{7*7}}',
      '${x}',
      '\ud83d\ude00',
      '_',
      '*',
    ];
    const spans = (await one.api('/status')).store.spans,
      mark = traceId();
    const ids = nasty.map(() => traceId());
    for (const [i, text] of nasty.entries()) {
      const whole = {
        traceId: ids[i],
        name: text,
        attributes: [{key: text, value: {stringValue: text}}],
        events: [{name: text, timeUnixNano: '5'}],
        status: {code: 2, message: text},
      };
      assert.equal(
        (await one.send('traces', spansRequest([whole], {'service.name': `${mark}${text}`, [text]: text}))).status,
        200,
      );
    }
    for (const [i, text] of nasty.entries()) {
      const answer = await one.ask(`/api/v1/traces/${ids[i]}`),
        [span] = answer.json.spans;
      assert.match(String(answer.headers['content-type']), /^application\/json/);
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      assert.deepEqual(
        [
          span.name,
          span.attributes[0].key,
          span.attributes[0].value,
          span.events[0].name,
          span.status_message,
          span.service,
        ],
        [text, text, text, text, text, `${mark}${text}`],
      );
      // In every field one can search by, it finds itself and nothing else.
      const quoted = encodeURIComponent(text),
        service = encodeURIComponent(`${mark}${text}`);
      for (const query of [
        `service=${service}`,
        `service=${service}&operation=${quoted}`,
        ...(text.includes(':') ? [] : [`service=${service}&attribute=${quoted}:${quoted}`]),
      ])
        assert.deepEqual(
          (await one.api(`/traces?${query}`)).traces.map((each: Json) => each.trace_id),
          [ids[i]],
          `${query} of ${JSON.stringify(text)}`,
        );
      assert.deepEqual((await one.api(`/operations?service=${service}`)).operations, [text]);
      for (const query of [`text=${quoted}`, `route=${quoted}`, `client=${quoted}`, `attribute=k:${quoted}`])
        assert.deepEqual((await one.api(`/sessions?${query}`)).sessions, [], query);
    }
    assert.equal((await one.api('/status')).store.spans, spans + nasty.length);
  });
});

it('questions that are none get an answer that says so', async () => {
  for (const [path, status] of Object.entries({
    '/traces?limit=0': 400,
    '/traces?limit=1e9': 400,
    '/traces?from_ms=x': 400,
    '/traces?nosuch=1': 400,
    '/traces?status=bad': 400,
    '/traces?session=1': 400,
    '/traces/xyz': 400,
    [`/traces/${'0'.repeat(31)}1`]: 404,
    '/sessions/xyz': 400,
    '/sessions?sort=up': 400,
    [`/sessions/${'0'.repeat(8)}-0000-0000-0000-000000000001`]: 404,
    '/latency?histogram=x': 400,
    '/nosuch': 404,
    '/traces?from_ms=5&to_ms=%00': 400,
    [`/traces?${'attribute=a:b&'.repeat(100)}`]: 400,
  })) {
    const answer = await one.ask(`/api/v1${path}`);
    assert.equal(answer.status, status, `${path}: ${answer.text}`);
    assert.equal(typeof answer.json.error.code, 'string');
    assert.ok(answer.json.error.message.length > 5);
  }
});

it('whatever came: the same process, a store that is well, and a bounded memory', async () => {
  assert.ok(one.running, one.log);
  assert.equal((await one.api('/status')).store.trouble, '');
  assert.ok(one.rss() < 400 << 20, `${one.rss() >> 20} MiB`);
});
