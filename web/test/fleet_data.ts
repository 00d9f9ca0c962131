// A voice fleet: calls, realtime model sessions, chat, chargers. Among them a frozen client, a slow reader, one that
// vanished, and one whose every string is hostile.
import type {
  Pair,
  EndReason,
  Fleet,
  Closes,
  LiveRoute,
  MaybePair,
  OpenCall,
  Proxy,
  RecordedMessage,
  Session,
  SessionPoints,
  Unheard,
} from '../src/api/types';
import {Random} from './random';

export const HOSTILE =
  "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>&amp;\"'\u202e";
const ROUTES = [
  {
    name: 'calls',
    dialect: 'twilio-media-streams',
    active: 180,
    rate: [50, 42],
    size: [340, 420],
    target: 'ws://bridge.internal:8084/media',
  },
  {
    name: 'realtime',
    dialect: 'openai-realtime',
    active: 140,
    rate: [12, 31],
    size: [1900, 2600],
    target: 'wss://model.internal/v1/realtime',
  },
  {
    name: 'chat',
    dialect: 'json-rpc',
    active: 64,
    rate: [0.3, 4.2],
    size: [420, 180],
    target: 'ws://agents.internal:7000/mcp',
  },
  {
    name: 'devices',
    dialect: 'ocpp',
    active: 22,
    rate: [0.05, 0.05],
    size: [210, 120],
    target: 'ws://csms.internal:9000/ocpp',
  },
] as const;

const WHY: Partial<Record<EndReason, string>> = {
  heartbeat_timeout: 'heartbeat timeout',
  reset: 'reset',
  protocol_error: '1002 protocol error',
  limit: '1009 message too big',
  lost: 'proxy lost',
};

export interface World {
  now: () => number;
  started: number;
  proxies: Proxy[];
  open: Session[];
  ended: Session[];
  frozen: Session;
  vanished: Session;
  /** When the console was away. */
  outage: {from: number; to: number};
  /** Nothing is wrong any more, and nothing was; all proxies are heard, or all but one. */
  heal: () => void;
  lose: (instance: string) => void;
  slowTrace: string;
  empty: boolean;
}

export const TRACES = {
  slow: 'a1'.repeat(16),
  big: 'b2'.repeat(16),
  odd: 'c3'.repeat(16),
  deep: 'd4'.repeat(16),
  long: 'e5'.repeat(16),
};

export function world(empty: boolean, started = Date.now()): World {
  const random = new Random(7);
  const proxies: Proxy[] = [
    {
      instance: '0197-bridge-a',
      service: 'voice-bridge',
      host: 'bridge-a',
      version: '0.4.0',
      connected: true,
      state: 'connected',
      since_ms: started - 7.2e6,
      heard_ms: started,
      started_ms: started - 7.3e6,
      sessions: 214,
    },
    {
      instance: '0197-bridge-b',
      service: 'voice-bridge',
      host: 'bridge-b',
      version: '0.4.0',
      connected: true,
      state: 'connected',
      since_ms: started - 3.1e6,
      heard_ms: started,
      started_ms: started - 9.9e6,
      sessions: 170,
    },
    {
      instance: '0197-edge-1',
      service: 'chat-edge',
      host: 'edge-1',
      version: '0.3.2',
      connected: false,
      state: 'unheard',
      since_ms: started - 190_000,
      heard_ms: started - 190_000,
      started_ms: started - 8.6e7,
      sessions: 65,
    },
    {
      instance: '0197-edge-0',
      service: 'chat-edge',
      host: 'edge-0',
      version: '0.3.2',
      connected: false,
      state: 'drained',
      since_ms: started - 5.4e6,
      heard_ms: started - 5.4e6,
      started_ms: started - 9.1e7,
      sessions: 0,
    },
  ];
  const session = (route: (typeof ROUTES)[number], opened: number, ended: number | null): Session => {
    const proxy = route.name === 'chat' ? proxies[2]! : proxies[random.whole(0, 1)]!;
    const life = ((ended ?? started) - opened) / 1000;
    const messages: [number, number] = [
      Math.floor(route.rate[0] * life * random.between(0.5, 1)),
      Math.floor(route.rate[1] * life * random.between(0.4, 1)),
    ];
    return {
      id: random.uuid(opened),
      instance: proxy.instance,
      service: proxy.service,
      route: route.name,
      dialect: random.next() < 0.03 ? 'none' : route.dialect,
      client: `10.${random.whole(1, 40)}.${random.whole(0, 255)}.${random.whole(1, 254)}:${random.whole(30000, 60000)}`,
      target: route.target,
      host: proxy.host,
      subprotocol: route.name === 'devices' ? 'ocpp1.6' : '',
      trace_id: random.hex(32),
      opened_ms: opened,
      seen_ms: ended ?? started,
      ended_ms: ended,
      state: ended ? 'ended' : 'open',
      live: ended === null && proxy.connected,
      close_code: null,
      end_reason: null,
      initiator: null,
      close_reason: '',
      abnormal: false,
      abnormal_why: '',
      heard_ms: ended === null ? (proxy.connected ? started : proxy.heard_ms) : null,
      last_heard: ended === null && !proxy.connected,
      messages,
      bytes: [messages[0] * route.size[0], messages[1] * route.size[1]],
      misses: 0,
      anomalies: 0,
      reconnect_of: null,
      ...((ended === null
        ? {
            messages_per_second: [route.rate[0] * random.between(0.6, 1.1), route.rate[1] * random.between(0, 1.3)],
            bytes_per_second: [
              route.rate[0] * route.size[0] * random.between(0.6, 1.1),
              route.rate[1] * route.size[1] * random.between(0, 1.3),
            ],
            rtt_seconds: [random.tail(0.034, 0.6), random.tail(0.0011, 0.4)],
            buffered_bytes: [0, 0],
            buffered_since_ms: null,
            misses_now: [0, 0],
            invocations_open: route.name === 'realtime' && random.next() < 0.3 ? 1 : 0,
            last_message_ms: [
              started - random.tail(route.name === 'devices' ? 30_000 : 300, 1),
              started - random.tail(route.name === 'devices' ? 30_000 : 900, 1),
            ],
          }
        : {
            messages_per_second: null,
            bytes_per_second: null,
            rtt_seconds: null,
            buffered_bytes: null,
            buffered_since_ms: null,
            misses_now: null,
            invocations_open: null,
            last_message_ms: null,
          }) as Partial<Session>),
    } as Session;
  };
  const open: Session[] = [],
    ended: Session[] = [];
  if (!empty) {
    for (const route of ROUTES)
      for (let i = 0; i < route.active; i++)
        open.push(session(route, started - random.tail(route.name === 'devices' ? 4e7 : 240_000, 0.9), null));
    for (const [route, share] of [
      [ROUTES[0], 900],
      [ROUTES[1], 700],
      [ROUTES[2], 300],
      [ROUTES[3], 40],
    ] as const)
      for (let i = 0; i < share; i++) {
        const end = started - random.between(20_000, 86_400_000 * (random.next() < 0.6 ? 0.05 : 1));
        const one = session(route, end - random.tail(route.name === 'devices' ? 3e6 : 200_000, 1), end);
        const dice = random.next();
        const kind: [EndReason, string, number, string] =
          dice < 0.86
            ? ['normal', random.pick(['client', 'server']), 1000, '']
            : dice < 0.9
              ? ['normal', 'client', 1001, '']
              : dice < 0.93
                ? ['heartbeat_timeout', 'proxy', 1011, 'heartbeat timeout']
                : dice < 0.96
                  ? ['reset', random.pick(['client', 'network']), 1006, '']
                  : dice < 0.97
                    ? ['idle', 'proxy', 1000, 'idle']
                    : dice < 0.98
                      ? ['protocol_error', 'proxy', 1002, 'reserved bits set']
                      : dice < 0.985
                        ? ['limit', 'proxy', 1009, 'message too big']
                        : dice < 0.99
                          ? ['lost', 'network', 1006, '']
                          : ['drain', 'proxy', 1001, 'going away'];
        [one.end_reason, one.initiator, one.close_code, one.close_reason] = kind;
        one.abnormal_why = WHY[kind[0]] ?? '';
        one.abnormal = one.abnormal_why !== '';
        if (kind[0] === 'heartbeat_timeout') one.misses = 2;
        if (kind[0] === 'protocol_error') one.anomalies = 1;
        ended.push(one);
      }
  }
  const frozen = session(ROUTES[0], started - 512_000, null),
    vanished = session(ROUTES[1], started - 1_402_000, started - 96_000);
  if (!empty) {
    Object.assign(frozen, {
      id: `${random.uuid(started - 512_000).slice(0, -12)}f0f0f0dead01`,
      misses: 2,
      misses_now: [2, 0],
      buffered_bytes: [1_240_000, 0],
      buffered_since_ms: started - 70_000,
      messages_per_second: [0, 48],
      last_message_ms: [started - 71_000, started - 300],
      rtt_seconds: [0.041, 0.0009],
      live: true,
      trace_id: TRACES.slow,
    });
    Object.assign(vanished, {
      id: `${vanished.id.slice(0, -12)}f0f0f0dead02`,
      end_reason: 'heartbeat_timeout',
      initiator: 'proxy',
      close_code: 1011,
      close_reason: 'heartbeat timeout',
      abnormal: true,
      abnormal_why: 'heartbeat timeout',
      misses: 2,
      trace_id: TRACES.slow,
    });
    const slow = session(ROUTES[1], started - 95_000, null);
    Object.assign(slow, {buffered_bytes: [88_000, 0], live: true});
    const hostile = session(ROUTES[2], started - 60_000, null);
    Object.assign(hostile, {
      client: HOSTILE,
      route: HOSTILE,
      dialect: HOSTILE,
      target: HOSTILE,
      close_reason: HOSTILE,
      host: HOSTILE,
      service: HOSTILE,
      live: true,
      anomalies: 3,
      subprotocol: HOSTILE,
      instance: proxies[0]!.instance,
    });
    open.push(frozen, slow, hostile);
    ended.push(vanished);
  }
  open.sort((a, b) => b.opened_ms - a.opened_ms);
  ended.sort((a, b) => b.ended_ms! - a.ended_ms!);
  if (empty) proxies.length = 0;
  const outage = {from: started - 1_830_000, to: started - 1_690_000};
  const hear = (instance: string | null): void => {
    for (const proxy of proxies) {
      const away = proxy.instance === instance;
      Object.assign(proxy, away ? {state: 'unheard', heard_ms: Date.now() - 4000} : {state: 'connected'});
      proxy.connected = !away;
    }
    for (const one of open) {
      const away = one.instance === instance;
      Object.assign(one, {live: !away, last_heard: away, heard_ms: Date.now() - (away ? 4000 : 0)});
    }
  };
  const heal = (): void => {
    const well = {misses_now: [0, 0], misses: 0, anomalies: 0, buffered_bytes: [0, 0], buffered_since_ms: null};
    for (const one of open) Object.assign(one, well);
    for (const one of ended) Object.assign(one, {abnormal: false, abnormal_why: '', end_reason: 'normal'});
    hear(null);
  };
  return {
    heal,
    lose: hear,
    now: () => Date.now(),
    started,
    proxies,
    open,
    ended,
    frozen,
    vanished,
    outage,
    slowTrace: TRACES.slow,
    empty,
  };
}

/** How far back anything is known. */
const KNOWN_MS = 5 * 86_400_000;
const daily = (ms: number) => 0.7 + 0.3 * Math.sin((ms / 86_400_000) * 2 * Math.PI - 2);

export function fleet(w: World, from: number, to: number, step: number): Fleet {
  const points: Fleet['points'] = [];
  if (w.empty) return {step_seconds: step, routes: [], instances: [], points, coverage: []};
  for (let time = Math.floor(from / 1000 / step) * step * 1000; time <= to; time += step * 1000) {
    const random = new Random(time / 1000);
    for (const route of ROUTES)
      for (const proxy of w.proxies) {
        if ((route.name === 'chat') !== (proxy.service === 'chat-edge') || time < w.started - KNOWN_MS) continue;
        if (proxy.state === 'drained' || (!proxy.connected && time > proxy.since_ms)) continue;
        const half = route.name === 'chat' ? 1 : 0.5;
        const active = Math.round(route.active * half * daily(time) * random.between(0.95, 1.05));
        const incident = proxy.host === 'bridge-b' && time > w.started - 1_500_000 && time < w.started - 1_100_000;
        const seconds = (Math.min(time + step * 1000, Date.now()) - time) / 1000,
          seen = covered(w, time, step);
        const point = {
          time_ms: time,
          instance: proxy.instance,
          route: route.name,
          active,
          opened: Math.round((active * step) / 240),
          ended: Math.round((active * step) / 240) + (incident ? 4 : 0),
          reconnects: incident ? random.whole(2, 8) : random.next() < 0.05 ? 1 : 0,
          refused: random.next() < 0.02 ? 1 : 0,
          messages: [
            active * route.rate[0] * seconds * random.between(0.9, 1.1),
            active * route.rate[1] * seconds * random.between(0.7, 1.2),
          ] as Pair,
          bytes: [
            active * route.rate[0] * seconds * route.size[0],
            active * route.rate[1] * seconds * route.size[1] * random.between(0.7, 1.2),
          ] as Pair,
          misses: incident ? random.whole(1, 6) : random.next() < 0.03 ? 1 : 0,
          missing_pongs: incident
            ? 2
            : time > w.started - 70_000 && route.name === 'calls' && proxy.host === 'bridge-a'
              ? 1
              : 0,
          buffered_sessions: incident ? 3 : random.next() < 0.1 ? 1 : 0,
          buffered_bytes: incident ? random.between(1e5, 3e6) : random.next() < 0.1 ? random.between(1e3, 1e5) : 0,
          invocations_open: route.name === 'realtime' ? Math.round(active / 4) : 0,
          rtt_p50_seconds: [random.tail(0.034, 0.1) * (incident ? 2.5 : 1), random.tail(0.0011, 0.1)] as Pair,
          rtt_p99_seconds: [random.tail(0.12, 0.2) * (incident ? 4 : 1), random.tail(0.004, 0.2)] as Pair,
        };
        points.push({
          ...point,
          active_min: Math.round(active * 0.94),
          active_max: Math.round(active * 1.06),
          missing_pongs_max: point.missing_pongs,
          buffered_bytes_max: point.buffered_bytes * 1.5,
          rtt_max_seconds: [point.rtt_p99_seconds[0] * 1.3, point.rtt_p99_seconds[1] * 1.2],
          covered_seconds: seen,
          // What was counted is made good after a gap, what was measured is not.
          ...(seen > 0 ? {} : UNMEASURED),
        });
      }
  }
  return {
    step_seconds: step,
    routes: ROUTES.map((one) => one.name),
    instances: w.proxies.map(({instance, service, host}) => ({instance, service, host})),
    points,
    coverage: [
      {what: 'before' as const, instance: null, from: 0, to: w.started - KNOWN_MS},
      {what: 'console' as const, instance: null, from: w.outage.from, to: w.outage.to},
      ...w.proxies
        .filter((one) => one.state === 'unheard')
        .map((one) => ({what: 'proxy' as const, instance: one.instance, from: one.heard_ms, to: Date.now()})),
    ]
      .map((one) => ({...one, from: Math.max(one.from, from), to: Math.min(one.to, to)}))
      .filter((one) => one.to > one.from)
      .map((one) => ({
        from_ms: one.from,
        to_ms: one.to,
        what: one.what,
        instance: one.instance,
        missing_seconds: (one.to - one.from) / 1000,
      })),
  };
}

const UNMEASURED = {
  ...{active: null, active_min: null, active_max: null, missing_pongs: null, missing_pongs_max: null},
  ...{buffered_sessions: null, buffered_bytes: null, buffered_bytes_max: null, invocations_open: null},
  rtt_p50_seconds: [null, null] as MaybePair,
  rtt_p99_seconds: [null, null] as MaybePair,
  rtt_max_seconds: [null, null] as MaybePair,
};

/** Of a step: what lies before now and outside the console's outage. */
function covered(w: World, time: number, step: number): number {
  const end = Math.min(time + step * 1000, Date.now()),
    unseen = Math.max(0, Math.min(end, w.outage.to) - Math.max(time, w.outage.from));
  return Math.max(0, end - time - unseen) / 1000;
}

export function unheard(w: World): Unheard | null {
  const lost = w.open.filter((one) => one.last_heard);
  if (lost.length === 0) return null;
  return {
    sessions: lost.length,
    of: w.open.length,
    since_ms: Math.min(...lost.map((one) => one.heard_ms ?? Infinity)),
  };
}

export function closes(w: World, from: number, to: number, step: number, route = '', instance = ''): Closes {
  const found = new Map<string, Closes['closes'][number]>();
  for (const one of w.ended) {
    if (one.ended_ms! < from || one.ended_ms! > to) continue;
    if ((route && one.route !== route) || (instance && one.instance !== instance)) continue;
    const time_ms = Math.floor(one.ended_ms! / 1000 / step) * step * 1000;
    const key = [time_ms, one.route, one.end_reason, one.initiator, one.close_code, one.abnormal_why].join('|');
    const row = found.get(key);
    if (row) row.count++;
    else
      found.set(key, {
        time_ms,
        route: one.route,
        end_reason: one.end_reason!,
        initiator: one.initiator!,
        code: one.close_code!,
        count: 1,
        abnormal: one.abnormal,
        abnormal_why: one.abnormal_why,
      });
  }
  return {step_seconds: step, closes: [...found.values()]};
}

export function liveRoutes(w: World): LiveRoute[] {
  const random = new Random(Math.floor(w.now() / 1000));
  return ROUTES.flatMap((route) =>
    w.proxies
      .filter((proxy) => (route.name === 'chat') === (proxy.service === 'chat-edge') && proxy.connected)
      .map((proxy): LiveRoute => {
        const active = w.open.filter((one) => one.route === route.name && one.instance === proxy.instance).length;
        return {
          instance: proxy.instance,
          route: route.name,
          active,
          messages_per_second: [
            active * route.rate[0] * random.between(0.9, 1.1),
            active * route.rate[1] * random.between(0.9, 1.1),
          ],
          bytes_per_second: [
            active * route.rate[0] * route.size[0] * random.between(0.9, 1.1),
            active * route.rate[1] * route.size[1],
          ],
          opened_per_second: active / 240,
          ended_per_second: active / 250,
          misses: 12,
          reconnects: 3,
          missing_pongs: route.name === 'calls' && proxy.host === 'bridge-a' ? 1 : 0,
          buffered_sessions: route.name === 'calls' ? 1 : 0,
          buffered_bytes: route.name === 'calls' ? 664_000 : 0,
          invocations_open: route.name === 'realtime' ? 21 : 0,
          rtt_p50_seconds: [0.034, 0.0011],
          rtt_p99_seconds: [0.131, 0.0042],
        };
      }),
  );
}

const idle = (session: Session) => session === undefined || session.dialect === 'ocpp';

/**
 * The last ~600 message headers; those of a session that lives stay as they are while others come. A frozen or vanished
 * client stops 71 s (41 s) before the end; pings go unanswered.
 */
export function recorder(w: World, session: Session): RecordedMessage[] {
  const random = new Random(parseInt(session.id.slice(-6), 16) || 5);
  const end = session.ended_ms ?? w.now();
  const gone = session.misses_now?.[0]
    ? session.last_message_ms![0]!
    : session.end_reason === 'heartbeat_timeout'
      ? end - 41_000
      : Infinity;
  const messages: RecordedMessage[] = [];
  const last = session.ended_ms ?? w.started,
    start = Math.max(session.opened_ms, last - (idle(session) ? 3_600_000 : 150_000));
  const push = (
    time_ms: number,
    side: 0 | 1,
    type: RecordedMessage['type'],
    length: number,
    injected = false,
    answered = false,
  ) => {
    if (time_ms >= start && time_ms <= end)
      messages.push({time_ms, side, type, length, compressed: false, injected, answered});
  };
  for (let time = start, pause = 0; time < end; ) {
    // Talk in turns: the client speaks, the server answers in a burst.
    const talk = random.tail(3500, 0.4),
      answer = random.tail(4200, 0.4);
    for (let t = time; t < time + talk; t += 200)
      if (t < gone)
        push(
          t + random.between(-4, 4),
          0,
          session.dialect === 'twilio-media-streams' ? 'text' : 'binary',
          340 + random.whole(0, 20),
        );
    const first = time + talk + random.tail(450, 0.4);
    for (let t = first; t < first + answer; t += random.tail(110, 0.5))
      if (t < gone + 9000) push(t, 1, 'text', Math.round(random.tail(900, 0.8)));
    pause = first + answer + random.tail(500, 0.5);
    time = idle(session) ? time + 60_000 : pause;
  }
  for (let ping = start + 30_000; ping <= (session === w.frozen ? w.started : end); ping += 30_000) {
    // As the console tells them: pongs to Sockeye's own pings are not recorded, but the ping knows.
    push(ping, 1, 'ping', 12, true, ping < gone);
    push(ping + 3, 0, 'ping', 12, true, true);
  }
  if (session.ended_ms) {
    if (session.initiator === 'proxy') {
      push(end - 2, 1, 'close', 19, true);
      push(end - 1, 0, 'close', 19, true);
    } else if (session.close_code !== 1006) {
      push(end - 12, session.initiator === 'client' ? 0 : 1, 'close', 2);
      push(end - 1, session.initiator === 'client' ? 1 : 0, 'close', 2);
    }
  }
  return messages.sort((a, b) => a.time_ms - b.time_ms).slice(-800);
}

export function calls(w: World, session: Session): OpenCall[] {
  if (session.state === 'ended' || session.dialect === 'ocpp') return [];
  const now = w.now();
  return session === w.frozen
    ? [
        {
          number: 31,
          operation: 'media_reply',
          opened_by: 0,
          opened_ms: now - 74_000,
          first_chunk_ms: now - 73_400,
          last_chunk_ms: now - 62_000,
          chunks: 81,
          trace_id: TRACES.slow,
        },
      ]
    : session.invocations_open
      ? [
          {
            number: 7,
            operation: 'realtime_inference',
            opened_by: 0,
            opened_ms: now - 2300,
            first_chunk_ms: now - 1800,
            last_chunk_ms: now - 80,
            chunks: 22,
            trace_id: TRACES.slow,
          },
        ]
      : [];
}

export function points(w: World, session: Session, from: number, to: number): SessionPoints {
  const end = Math.min(to, session.ended_ms ?? w.now()),
    start = Math.max(from, session.opened_ms);
  const step = Math.max(10_000, (end - start) / 240);
  const list: SessionPoints['points'] = [];
  const gone = session.misses_now?.[0]
    ? session.last_message_ms![0]!
    : session.end_reason === 'heartbeat_timeout'
      ? end - 41_000
      : Infinity;
  for (let time_ms = start; time_ms <= end; time_ms += step) {
    const random = new Random(Math.floor(time_ms / 10_000) + parseInt(session.id.slice(-4), 16));
    const alive = time_ms < gone;
    list.push({
      time_ms,
      rtt_seconds: [alive ? random.tail(0.036, 0.25) : null, random.tail(0.001, 0.2)],
      buffered_bytes: [alive ? 0 : Math.min(1_240_000, (time_ms - gone) * 18), 0],
      messages_per_second: [alive ? random.between(3, 6) : 0, alive ? random.between(2, 9) : random.between(0, 2)],
      bytes_per_second: [alive ? random.between(1200, 2000) : 0, alive ? random.between(2000, 9000) : 400],
    });
  }
  return {points: list};
}
