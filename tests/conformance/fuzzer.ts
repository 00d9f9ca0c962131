// Plays one case on one connection and judges it. The same code in both roles: only masking, who offers extensions, and
// who ends TCP first depend on the role.
import {Compressor, Decompressor, type Extension, parseExtensions} from '../lib/deflate.js';
import type {Endpoint, Event, Head, Role} from '../lib/endpoint.js';
import {opcodes} from '../lib/frame.js';
import type {Case, CloseVerdict, Expected, Offer, PingPong, Script, Step, Verdict} from './cases/case.js';
import {fragments} from './cases/case.js';

export interface Outcome {
  id: string;
  verdict: Verdict;
  close: CloseVerdict;
  code: number | null; // of the peer's Close; null: it sent none
  tcp: 'peer' | 'fuzzer' | 'reset'; // who ended TCP first, or that the peer reset it
  seen: string; // what came back, in short
  detail: string; // why it is not OK
  ms: number;
}

const shortened = (payload: Buffer): string =>
  payload.length <= 16 ? JSON.stringify(payload.toString('latin1')) : `${payload.length} bytes`;

function describe(event: Event): string {
  switch (event.kind) {
    case 'message':
      return `${event.binary ? 'binary' : 'text'} ${shortened(event.payload)}`;
    case 'ping':
    case 'pong':
      return `${event.kind} ${shortened(event.payload)}`;
    case 'close':
      return `close ${event.code}`;
    case 'violation':
      return `violation: ${event.text}`;
    case 'mark':
      return `pause ${event.name}`;
    case 'end':
      return event.how;
  }
}

const summary = (log: Event[]): string => {
  const shown = log.slice(0, 12).map(describe).join(', ');
  return log.length > 12 ? `${shown}, … (${log.length})` : shown;
};

const relevant = (log: Event[]): Event[] =>
  log.filter((event) => event.kind !== 'close' && event.kind !== 'end' && event.kind !== 'ping');

function same(log: Event[], expected: Expected[]): boolean {
  const events = relevant(log);
  return (
    events.length === expected.length &&
    events.every((event, i) => {
      const want = expected[i]!;
      if (event.kind === 'mark') return want.kind === 'mark' && want.name === event.name;
      if (event.kind === 'pong') return want.kind === 'pong' && want.payload.equals(event.payload);
      if (event.kind === 'message')
        return want.kind === (event.binary ? 'binary' : 'text') && want.payload.equals(event.payload);
      return false;
    })
  );
}

const gone = (ep: Endpoint): boolean => ep.close !== undefined || ep.ended !== undefined;

// A pause of the script; over early, and without its mark, when the peer ends the connection.
async function sit(ep: Endpoint, ms: number, mark: string): Promise<void> {
  await ep.until(() => gone(ep), ms);
  if (!gone(ep)) ep.mark(mark);
}

async function step(ep: Endpoint, one: Step): Promise<void> {
  if (one.kind === 'pause') return sit(ep, one.ms, one.mark);
  if (one.kind === 'cuts') {
    const bytes = ep.bytesOf(one.frame);
    const header = bytes.length - one.frame.payload!.length;
    let from = 0;
    for (const [i, cut] of one.cuts.entries()) {
      await ep.write(bytes.subarray(from, header + cut));
      from = header + cut;
      await sit(ep, 1000, one.mark[i]!);
      if (gone(ep)) return;
    }
    return ep.write(bytes.subarray(from));
  }
  if (one.mode === 'frames') {
    for (const frame of one.frames) await ep.write(ep.bytesOf(frame));
    return;
  }
  const bytes = Buffer.concat(one.frames.map((frame) => ep.bytesOf(frame)));
  return one.mode === 'once' ? ep.write(bytes) : ep.chop(bytes, one.mode.chop);
}

// Ends the connection the way the case wants it and says how that went.
async function ending(
  ep: Endpoint,
  expected: Script['close'],
  patience: number,
): Promise<{close: CloseVerdict; tcp: Outcome['tcp']; why: string}> {
  if (expected.by === 'fuzzer' && !ep.closeSent && !gone(ep)) await ep.sendClose(1000);
  const ended = await ep.until(() => gone(ep), patience);
  if (!ended) {
    ep.destroy();
    return {
      close: 'FAILED',
      tcp: 'fuzzer',
      why: expected.by === 'peer' ? 'the connection was not failed' : 'our Close was not answered',
    };
  }
  // The server ends TCP first (RFC 6455 §7.1.1). A peer that failed the connection need not see our side of it.
  let peerFirst = true;
  if (ep.role === 'client' && expected.by === 'fuzzer')
    peerFirst = await ep.until(() => ep.ended !== undefined, 10_000);
  ep.finish();
  const released = await ep.until(() => ep.ended !== undefined, 10_000);
  ep.destroy();
  const tcp: Outcome['tcp'] = ep.ended === 'reset' ? 'reset' : ep.endedFirst ? 'peer' : 'fuzzer';
  const code = ep.close?.code;
  if (code === undefined) {
    if (expected.drop) return {close: 'OK', tcp, why: ''};
    return {close: 'UNCLEAN', tcp, why: `TCP ended (${ep.ended}) without a Close`};
  }
  if (!expected.codes.includes(code))
    return {close: 'WRONG CODE', tcp, why: `Close ${code}, not ${expected.codes.join(' or ')}`};
  if (!peerFirst) return {close: 'UNCLEAN', tcp, why: 'the server did not end TCP'};
  if (!released) return {close: 'UNCLEAN', tcp, why: 'TCP was left open behind the closing handshake'};
  return {close: 'OK', tcp, why: ''};
}

async function playScript(one: Script, ep: Endpoint): Promise<Omit<Outcome, 'id' | 'ms'>> {
  for (const each of one.steps) {
    if (gone(ep)) break;
    await step(ep, each);
  }
  const ok = one.ok;
  if (one.close.by === 'fuzzer' && !ep.closeSent)
    await ep.until(() => gone(ep) || relevant(ep.log).length >= ok.length, one.patienceMs);
  const end = await ending(ep, one.close, one.patienceMs);
  let verdict: Verdict = 'FAILED';
  if (same(ep.log, ok)) verdict = 'OK';
  else if (one.nonStrict.some((expected) => same(ep.log, expected))) verdict = 'NON-STRICT';
  const wrong = verdict === 'FAILED' ? `got [${summary(relevant(ep.log))}], expected ${ok.length} event(s)` : '';
  const common = {
    code: ep.close?.code ?? null,
    tcp: end.tcp,
    seen: summary(ep.log),
    detail: [wrong, end.why].filter(Boolean).join('; '),
  };
  return one.informational
    ? {verdict: 'INFORMATIONAL', close: 'INFORMATIONAL', ...common}
    : {verdict, close: end.close, ...common};
}

// ---- compression

const offered = (offer: Offer): string =>
  [
    'permessage-deflate',
    offer.noContextTakeover && 'server_no_context_takeover',
    offer.windowBits && `server_max_window_bits=${offer.windowBits}`,
  ]
    .filter(Boolean)
    .join('; ');

// What the fuzzer as a client puts into Sec-WebSocket-Extensions.
export const offerHeader = (one: Case): string | undefined =>
  one.kind === 'ping-pong' && one.offers ? one.offers.map(offered).join(', ') : undefined;

// What the fuzzer as a server answers to the client's offers; undefined when it accepts none.
export function answerHeader(one: Case, request: Head): string | undefined {
  if (one.kind !== 'ping-pong' || !one.offers) return undefined;
  const theirs = parseExtensions(request.get('sec-websocket-extensions')).filter(
    (item) => item.name === 'permessage-deflate',
  );
  for (const offer of one.offers)
    for (const {parameters} of theirs) {
      const most = parameters['client_max_window_bits'];
      if (offer.windowBits && most === undefined) continue;
      const bits = typeof most === 'string' ? Math.min(offer.windowBits || 15, Number(most)) : offer.windowBits;
      return [
        'permessage-deflate',
        parameters['server_no_context_takeover'] && 'server_no_context_takeover',
        typeof parameters['server_max_window_bits'] === 'string' &&
          `server_max_window_bits=${parameters['server_max_window_bits']}`,
        (offer.noContextTakeover || parameters['client_no_context_takeover']) && 'client_no_context_takeover',
        bits && `client_max_window_bits=${bits}`,
      ]
        .filter(Boolean)
        .join('; ');
    }
  return undefined;
}

class Codec {
  readonly out: Compressor;
  readonly in: Decompressor;
  constructor(role: Role, extension: Extension) {
    const bits = (who: string) => Number(extension.parameters[`${who}_max_window_bits`] ?? 15) || 15;
    const drops = (who: string) => extension.parameters[`${who}_no_context_takeover`] !== undefined;
    const [mine, theirs] = role === 'client' ? ['client', 'server'] : ['server', 'client'];
    this.out = new Compressor(bits(mine!), drops(mine!));
    this.in = new Decompressor(bits(theirs!), drops(theirs!));
  }
}

// One message at a time, each checked against its echo.
async function playPingPong(
  one: PingPong,
  ep: Endpoint,
  negotiated: string | undefined,
): Promise<Omit<Outcome, 'id' | 'ms'>> {
  const extension = parseExtensions(negotiated).find((item) => item.name === 'permessage-deflate');
  if (one.offers && !extension) {
    const end = await ending(ep, {by: 'fuzzer', codes: [1000], drop: false}, one.patienceMs);
    return {
      verdict: 'UNIMPLEMENTED',
      close: end.close,
      code: ep.close?.code ?? null,
      tcp: end.tcp,
      seen: '',
      detail: 'not negotiated',
    };
  }
  const codec = one.offers && extension ? new Codec(ep.role, extension) : undefined;
  let wrong = '',
    echoed = 0,
    compressed = 0;
  try {
    while (echoed < one.count && !wrong) {
      const message = one.message(echoed);
      const payload = codec ? await codec.out.message(message) : message;
      const frames = fragments(
        one.binary ? opcodes.binary : opcodes.text,
        payload,
        one.fragment || Math.max(payload.length, 1),
      );
      if (codec) frames[0]!.rsv = 4;
      await ep.send(...frames);
      const echo = await ep.next(one.patienceMs);
      if (!echo) wrong = `no echo of message ${echoed}: ${summary(ep.log) || 'nothing came'}`;
      else {
        if (echo.compressed) ++compressed;
        const back = echo.compressed ? await codec!.in.message(echo.payload) : echo.payload;
        if (echo.binary !== one.binary || !back.equals(message)) wrong = `message ${echoed} came back changed`;
        else ++echoed;
      }
    }
  } catch (error) {
    wrong = `message ${echoed}: ${error instanceof Error ? error.message : String(error)}`;
  }
  codec?.out.end();
  codec?.in.end();
  const end = await ending(ep, {by: 'fuzzer', codes: [1000], drop: false}, one.patienceMs);
  if (!wrong && relevant(ep.log).length) wrong = `more than the echoes came: ${summary(ep.log)}`;
  return {
    verdict: wrong ? 'FAILED' : 'OK',
    close: end.close,
    code: ep.close?.code ?? null,
    tcp: end.tcp,
    seen: `${echoed} echoes${codec ? `, ${compressed} compressed` : ''}`,
    detail: [wrong, end.why].filter(Boolean).join('; '),
  };
}

export async function play(one: Case, ep: Endpoint, negotiated: string | undefined): Promise<Outcome> {
  const begun = Date.now();
  const outcome = one.kind === 'script' ? await playScript(one, ep) : await playPingPong(one, ep, negotiated);
  ep.destroy();
  return {id: one.id, ...outcome, ms: Date.now() - begun};
}
