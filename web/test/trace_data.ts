// Traces as they come: a streamed answer with a gap, 10,000 spans, 5,000 levels, and one in which nothing is right.
import type {Attribute, Json, Log, Span, Trace, TraceSummary} from '../src/api/types';
import {HOSTILE, TRACES, type World} from './fleet_data';
import {Random} from './random';

type Values = Record<string, Json>;
const attributes = (values: Values): Attribute[] => Object.entries(values).map(([key, value]) => ({key, value}));

export interface Draft {
  trace_id: string;
  id: string;
  parent?: string;
  name: string;
  service: string;
  start_ms: number;
  seconds: number;
  kind?: Span['kind'];
  status?: Span['status'];
  message?: string;
  session?: string | null;
  values?: Values;
  events?: {name: string; at: number; values?: Values}[];
  links?: {trace_id: string; span_id: string}[];
}

const SCOPE = {name: 'sockeye', version: '0.4.0', attributes: [], schema_url: ''};

export function span(draft: Draft): Span {
  return {
    trace_id: draft.trace_id,
    span_id: draft.id,
    parent_id: draft.parent ?? '',
    name: draft.name,
    service: draft.service,
    kind: draft.kind ?? 'internal',
    status: draft.status ?? 'unset',
    status_message: draft.message ?? '',
    start_ms: draft.start_ms,
    flags: 1,
    trace_state: '',
    start_unix_ns: String(BigInt(Math.round(draft.start_ms)) * 1_000_000n),
    duration_ns: Math.round(draft.seconds * 1e9),
    session: draft.session ?? null,
    attributes: attributes({
      ...(draft.session
        ? {'websocket.session.id': draft.session, 'network.protocol.name': 'websocket', 'sockeye.vantage': 'proxy'}
        : {}),
      ...draft.values,
    }),
    events: (draft.events ?? []).map((one) => ({
      name: one.name,
      time_ms: draft.start_ms + one.at * 1000,
      offset_ns: Math.round(one.at * 1e9),
      attributes: attributes(one.values ?? {}),
    })),
    links: (draft.links ?? []).map((one) => ({...one, trace_state: '', flags: 0, attributes: []})),
    resource: attributes({'service.name': draft.service, 'host.name': 'bridge-a', 'service.version': '0.4.0'}),
    resource_schema_url: '',
    scope: SCOPE,
    dropped: {attributes: 0, events: 0, links: 0},
  };
}

type Said = Pick<Log, 'time_ms' | 'span_id' | 'severity' | 'severity_text' | 'body' | 'service' | 'attributes'>;

function log(said: Said): Log {
  return {
    ...said,
    time_unix_ns: String(BigInt(Math.round(said.time_ms)) * 1_000_000n),
    flags: 1,
    event_name: '',
    dropped_attributes: 0,
    resource: attributes({'service.name': said.service}),
    resource_schema_url: '',
    scope: SCOPE,
  };
}

/** An answer: request at `start`, first chunk after `first`, `chunks` in all until `last`. */
export function answer(
  trace_id: string,
  id: string,
  parent: string,
  start: number,
  first: number,
  last: number,
  chunks: number,
  session: string,
  more: Partial<Draft> = {},
): Span {
  const {values, events, ...rest} = more;
  return span({
    trace_id,
    id,
    parent,
    name: 'realtime_inference',
    service: 'voice-bridge',
    kind: 'server',
    start_ms: start,
    seconds: last,
    session,
    values: {
      'websocket.invocation.status': 'ok',
      'websocket.invocation.operation': 'realtime_inference',
      'websocket.time_to_first_chunk': first,
      'websocket.time_to_last_chunk': last,
      'websocket.chunk.count': chunks,
      'websocket.chunk.interval.mean': (last - first) / Math.max(1, chunks - 1),
      'websocket.chunk.interval.max': ((last - first) / Math.max(1, chunks - 1)) * 9,
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'gpt-realtime',
      'gen_ai.usage.input_tokens': 214,
      'gen_ai.usage.output_tokens': 388,
      'sockeye.dialect': 'openai-realtime',
      'sockeye.route': 'realtime',
      ...values,
    },
    events: [{name: 'first_chunk', at: first, values: {'websocket.lane': 'audio'}}, ...(events ?? [])],
    ...rest,
  });
}

function slow(w: World): Trace {
  const t = TRACES.slow,
    at = w.started - 240_000,
    session = w.vanished.id;
  const chunkEvents = Array.from({length: 34}, (_, i) => ({name: 'chunk', at: 2.61 + i * 0.055 + (i > 14 ? 1.35 : 0)}));
  const spans = [
    span({
      trace_id: t,
      id: '01'.repeat(8),
      name: 'ask assistant',
      service: 'device-page',
      kind: 'client',
      start_ms: at,
      seconds: 6.3,
      values: {'browser.platform': 'Linux', 'url.full': 'https://device.example/talk'},
    }),
    span({
      trace_id: t,
      id: '02'.repeat(8),
      parent: '01'.repeat(8),
      name: 'encode audio',
      service: 'device-page',
      start_ms: at + 4,
      seconds: 0.031,
    }),
    span({
      trace_id: t,
      id: '03'.repeat(8),
      parent: '01'.repeat(8),
      name: 'websocket.handshake',
      service: 'voice-bridge',
      kind: 'server',
      start_ms: at + 38,
      seconds: 0.022,
      session,
      values: {
        'http.response.status_code': 101,
        'url.path': '/v1/realtime',
        'websocket.extensions': 'permessage-deflate',
      },
    }),
    answer(t, '04'.repeat(8), '01'.repeat(8), at + 80, 2.61, 6.1, 35, session, {
      values: {'websocket.chunk.interval.max': 1.405},
      events: [...chunkEvents, {name: 'interrupted', at: 5.7, values: {reason: 'barge-in'}}],
      links: [{trace_id: TRACES.long, span_id: '01'.repeat(8)}],
    }),
    span({
      trace_id: t,
      id: '05'.repeat(8),
      parent: '04'.repeat(8),
      name: 'POST /v1/respond',
      service: 'agent-node',
      kind: 'server',
      start_ms: at + 92,
      seconds: 5.95,
      values: {'http.request.method': 'POST', 'http.response.status_code': 200},
    }),
    span({
      trace_id: t,
      id: '06'.repeat(8),
      parent: '05'.repeat(8),
      name: 'transcribe',
      service: 'agent-node',
      start_ms: at + 95,
      seconds: 0.41,
    }),
    span({
      trace_id: t,
      id: '07'.repeat(8),
      parent: '05'.repeat(8),
      name: 'tools/call',
      service: 'mcp-gateway',
      kind: 'client',
      start_ms: at + 510,
      seconds: 1.72,
      session,
      values: {
        'websocket.invocation.status': 'ok',
        'websocket.time_to_first_chunk': 1.7,
        'websocket.time_to_last_chunk': 1.72,
        'websocket.chunk.count': 1,
        'mcp.tool.name': 'orders.lookup',
      },
    }),
    span({
      trace_id: t,
      id: '08'.repeat(8),
      parent: '07'.repeat(8),
      name: 'SELECT orders',
      service: 'postgres',
      kind: 'client',
      start_ms: at + 530,
      seconds: 1.66,
      values: {
        'db.system': 'postgresql',
        'db.statement': 'SELECT * FROM orders WHERE customer = $1 ORDER BY placed DESC',
      },
    }),
    span({
      trace_id: t,
      id: '09'.repeat(8),
      parent: '05'.repeat(8),
      name: 'generate',
      service: 'agent-node',
      start_ms: at + 2300,
      seconds: 3.5,
      values: {'gen_ai.request.model': 'gpt-realtime'},
    }),
    span({
      trace_id: t,
      id: '0a'.repeat(8),
      parent: '09'.repeat(8),
      name: 'synthesize speech',
      service: 'tts',
      start_ms: at + 2520,
      seconds: 2.9,
    }),
    span({
      trace_id: t,
      id: '0b'.repeat(8),
      parent: '05'.repeat(8),
      name: 'save turn',
      service: 'agent-node',
      start_ms: at + 5900,
      seconds: 0.12,
      status: 'error',
      message: 'redis: connection reset by peer',
      values: {'db.system': 'redis', 'error.type': 'ECONNRESET'},
      events: [
        {
          name: 'exception',
          at: 0.118,
          values: {
            'exception.type': 'Error',
            'exception.message': 'connection reset by peer',
            'exception.stacktrace':
              'Error: connection reset by peer\n    at Socket.<anonymous> (redis.js:41:9)\n' +
              '    at Socket.emit (node:events:517:28)',
          },
        },
      ],
    }),
  ];
  return {
    trace_id: t,
    spans,
    logs: [
      log({
        time_ms: at + 2240,
        span_id: '07'.repeat(8),
        severity: 13,
        severity_text: 'WARN',
        body: 'orders.lookup took 1720 ms (budget 300 ms)',
        service: 'mcp-gateway',
        attributes: attributes({tool: 'orders.lookup'}),
      }),
      log({
        time_ms: at + 6018,
        span_id: '0b'.repeat(8),
        severity: 17,
        severity_text: 'ERROR',
        body: {message: 'could not save the turn', cause: HOSTILE},
        service: 'agent-node',
        attributes: [],
      }),
    ],
    truncated: false,
  };
}

function big(w: World): Trace {
  const random = new Random(11),
    t = TRACES.big,
    at = w.started - 900_000,
    spans: Span[] = [];
  const ids: {id: string; start: number; end: number; depth: number}[] = [];
  for (let i = 0; i < 10_000; i++) {
    const id = (i + 1).toString(16).padStart(16, '0');
    let parent = i === 0 ? null : ids[Math.max(0, i - 1 - (Math.floor(random.tail(12, 1.2)) % Math.max(1, i)))]!;
    if (parent && parent.depth > 24) parent = ids[random.whole(0, Math.min(i - 1, 40))]!;
    const from = parent ? random.between(parent.start, parent.start + (parent.end - parent.start) * 0.7) : at,
      to = parent
        ? Math.max(from + 0.05, Math.min(parent.end, from + random.tail((parent.end - from) * 0.4, 0.5)))
        : at + 48_000;
    ids.push({id, start: from, end: to, depth: (parent?.depth ?? -1) + 1});
    const service = random.pick(['voice-bridge', 'agent-node', 'mcp-gateway', 'postgres', 'redis', 'tts', 'asr']);
    spans.push(
      i % 97 === 5 && to - from > 40
        ? answer(
            t,
            id,
            parent?.id ?? '',
            from,
            ((to - from) / 1000) * 0.3,
            (to - from) / 1000,
            random.whole(5, 60),
            w.frozen.id,
          )
        : span({
            trace_id: t,
            id,
            parent: parent?.id ?? '',
            name:
              i === 0
                ? 'batch of conversations'
                : random.pick([
                    'GET /orders',
                    'tools/call',
                    'SELECT',
                    'publish',
                    'embed',
                    'websocket.transfer',
                    'authorize',
                  ]),
            service,
            start_ms: from,
            seconds: (to - from) / 1000,
            status: random.next() < 0.01 ? 'error' : 'unset',
            values: {index: i},
          }),
    );
  }
  return {trace_id: t, spans: spans.sort((a, b) => a.start_ms - b.start_ms), logs: [], truncated: false};
}

function deep(w: World): Trace {
  const t = TRACES.deep,
    at = w.started - 60_000;
  return {
    trace_id: t,
    logs: [],
    truncated: true,
    spans: Array.from({length: 5000}, (_, i) =>
      span({
        trace_id: t,
        id: (i + 1).toString(16).padStart(16, '0'),
        parent: i ? i.toString(16).padStart(16, '0') : '',
        name: `level ${i}`,
        service: 'deep',
        start_ms: at + i * 0.1,
        seconds: 2 - i * 0.0002,
      }),
    ),
  };
}

function odd(w: World): Trace {
  const t = TRACES.odd,
    at = w.started - 30_000,
    id = (n: number) => n.toString(16).padStart(16, '0');
  const base = {trace_id: t, service: 'odd'};
  return {
    trace_id: t,
    truncated: false,
    logs: [],
    spans: [
      span({...base, id: id(1), name: 'root', start_ms: at, seconds: 2}),
      span({...base, id: id(2), parent: id(3), name: 'cycle a', start_ms: at + 100, seconds: 0.5}),
      span({...base, id: id(3), parent: id(2), name: 'cycle b', start_ms: at + 150, seconds: 0.4}),
      span({...base, id: id(4), parent: id(4), name: 'its own parent', start_ms: at + 160, seconds: 0.4}),
      span({
        ...base,
        id: id(5),
        parent: 'ffffffffffffffff',
        name: 'parent never came',
        start_ms: at + 300,
        seconds: 0.9,
      }),
      span({...base, id: id(6), parent: 'ffffffffffffffff', name: 'its sibling', start_ms: at + 400, seconds: 0.2}),
      span({...base, id: id(7), parent: id(1), name: 'ends before it starts', start_ms: at + 800, seconds: -0.25}),
      span({...base, id: id(8), parent: id(1), name: 'clock ten years off', start_ms: at - 3.15e11, seconds: 0.5}),
      span({
        ...base,
        id: id(9),
        parent: id(1),
        name: HOSTILE,
        service: HOSTILE,
        start_ms: at + 900,
        seconds: 0.3,
        status: 'error',
        message: HOSTILE,
        values: {[HOSTILE]: HOSTILE, big: 'x'.repeat(4000), nested: {a: [1, null, {b: HOSTILE}]}},
        events: [{name: HOSTILE, at: 0.1, values: {[HOSTILE]: HOSTILE}}],
      }),
      span({...base, id: id(1), name: 'root', start_ms: at, seconds: 2}),
      span({...base, id: id(10), parent: id(1), name: '', start_ms: at + 1200, seconds: 0}),
    ],
  };
}

function long(w: World): Trace {
  const t = TRACES.long,
    at = w.started - 2_900_000,
    session = w.frozen.id,
    id = (n: number) => n.toString(16).padStart(16, '0');
  const spans = [
    span({
      trace_id: t,
      id: id(1),
      name: 'websocket.handshake',
      service: 'voice-bridge',
      kind: 'server',
      start_ms: at,
      seconds: 0.03,
      session,
      values: {'http.response.status_code': 101},
    }),
  ];
  for (let i = 0; i < 9; i++)
    spans.push(
      span({
        trace_id: t,
        id: id(10 + i),
        parent: id(1),
        name: 'websocket.connection.segment',
        service: 'voice-bridge',
        start_ms: at + i * 300_000,
        seconds: 300,
        session,
        values: {
          'websocket.segment.index': i,
          'websocket.segment.messages.received': 15000,
          'websocket.segment.messages.sent': 12000,
        },
      }),
    );
  for (let i = 0; i < 30; i++)
    spans.push(answer(t, id(100 + i), id(1), at + i * 90_000, 0.6, 4 + (i % 5), 40, session));
  return {trace_id: t, spans, logs: [], truncated: false};
}

const OPERATIONS: [string, string, number, number, number][] = [
  // service, operation, first chunk, last chunk (medians, s), calls a minute
  ['voice-bridge', 'realtime_inference', 0.62, 4.1, 46],
  ['voice-bridge', 'media_reply', 0.31, 3.2, 61],
  ['mcp-gateway', 'tools/call', 0.18, 0.19, 22],
  ['mcp-gateway', 'tools/list', 0.012, 0.012, 3],
  ['chat-edge', 'chat/completions', 0.44, 2.6, 31],
  ['charger-csms', 'Heartbeat', 0.006, 0.006, 4],
  ['charger-csms', 'StartTransaction', 0.05, 0.05, 1],
  ['agent-node', 'POST /v1/respond', 0, 1.9, 45],
  ['postgres', 'SELECT orders', 0, 0.004, 210],
  ['tts', 'synthesize speech', 0, 1.1, 44],
];

export function summaries(w: World): TraceSummary[] {
  const random = new Random(23),
    list: TraceSummary[] = [];
  if (w.empty) return list;
  for (let i = 0; i < 900; i++) {
    const [service, operation, , last] = random.pick(OPERATIONS),
      failed = random.next() < 0.04;
    list.push({
      trace_id: random.hex(32),
      root_service: service,
      root_operation: operation,
      root_missing: random.next() < 0.02,
      start_ms: w.started - random.between(5000, 3_600_000),
      duration_seconds: random.tail(last, failed ? 1 : 0.5),
      spans: random.whole(2, 40),
      errors: failed ? random.whole(1, 3) : 0,
      matched: 1,
      sorted_seconds: null,
      services: [
        {service, spans: 2},
        {service: 'agent-node', spans: 3},
      ],
      session: random.next() < 0.7 ? random.pick(w.open).id : null,
    });
  }
  for (const [id, name, service] of [
    [TRACES.slow, 'ask assistant', 'device-page'],
    [TRACES.big, 'batch of conversations', 'voice-bridge'],
    [TRACES.odd, HOSTILE, HOSTILE],
    [TRACES.deep, 'level 0', 'deep'],
    [TRACES.long, 'websocket.handshake', 'voice-bridge'],
  ] as const) {
    const one = trace(w, id)!;
    list.push({
      trace_id: id,
      root_service: service,
      root_operation: name,
      root_missing: false,
      start_ms: w.started - 240_000 + list.length,
      duration_seconds: id === TRACES.slow ? 6.3 : id === TRACES.big ? 48 : 2,
      spans: one.spans.length,
      errors: one.spans.filter((each) => each.status === 'error').length,
      matched: 1,
      sorted_seconds: null,
      services: [{service, spans: one.spans.length}],
      session: id === TRACES.slow ? w.vanished.id : id === TRACES.long ? w.frozen.id : null,
    });
  }
  return list.sort((a, b) => b.start_ms - a.start_ms);
}

const made = new Map<string, Trace>();
export function trace(w: World, id: string): Trace | undefined {
  const makers: Record<string, (w: World) => Trace> = {
    [TRACES.slow]: slow,
    [TRACES.big]: big,
    [TRACES.odd]: odd,
    [TRACES.deep]: deep,
    [TRACES.long]: long,
  };
  if (makers[id] && !made.has(id)) made.set(id, makers[id]!(w));
  return made.get(id);
}

/** Any other trace of the list: the slow one's shape, scaled. */
export function ordinary(w: World, summary: TraceSummary): Trace {
  const model = trace(w, TRACES.slow)!,
    factor = summary.duration_seconds / 6.3,
    origin = model.spans[0]!.start_ms;
  return {
    ...model,
    trace_id: summary.trace_id,
    logs: [],
    spans: model.spans.map((one, i) => ({
      ...one,
      trace_id: summary.trace_id,
      name: i === 0 ? summary.root_operation : one.name,
      status: i === 10 && summary.errors === 0 ? 'unset' : one.status,
      start_ms: summary.start_ms + (one.start_ms - origin) * factor,
      duration_ns: one.duration_ns * factor,
      session: one.session && summary.session,
      events: one.events.map((event) => ({
        ...event,
        offset_ns: event.offset_ns * factor,
        time_ms: summary.start_ms + (event.time_ms - origin) * factor,
      })),
      attributes: one.attributes.map((each) =>
        /chunk(\.interval.*)?$/.test(each.key) && typeof each.value === 'number'
          ? {...each, value: each.value * factor}
          : each,
      ),
    })),
  };
}

export function invocations(session: string, end: number, count: number): Span[] {
  const random = new Random(parseInt(session.slice(-5), 16) || 3),
    list: Span[] = [];
  for (let i = 0; i < count; i++) {
    const first = random.tail(0.6, 0.4),
      last = first + random.tail(3.1, 0.4),
      start = end - (i + 1) * random.between(9000, 12_000) - 60_000,
      dice = random.next();
    list.push(
      answer(
        i === 2 ? TRACES.slow : random.hex(32),
        random.hex(16),
        '',
        start,
        i === 1 ? 4.9 : first,
        i === 1 ? 9.2 : last,
        random.whole(12, 70),
        session,
        dice < 0.15
          ? {values: {'websocket.invocation.status': 'cancelled'}, events: [{name: 'interrupted', at: last * 0.9}]}
          : i === 0
            ? {
                status: 'error',
                message: 'left open at the end of the session',
                values: {'websocket.invocation.status': 'incomplete'},
              }
            : {},
      ),
    );
  }
  return list.sort((a, b) => b.start_ms - a.start_ms);
}
