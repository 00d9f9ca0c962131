// What a case is: data only. The fuzzer plays it in either role against a peer that echoes every message.
//
// Ids and meanings follow the numbering the field knows from the Autobahn TestSuite; the tables beside this file are
// our own.
import type {Frame} from '../../lib/frame.js';

export type Verdict = 'OK' | 'NON-STRICT' | 'INFORMATIONAL' | 'UNIMPLEMENTED' | 'FAILED';
export type CloseVerdict = 'OK' | 'INFORMATIONAL' | 'WRONG CODE' | 'UNCLEAN' | 'FAILED';

/** A mark says that a pause was sat through. */
export type Expected = {kind: 'text' | 'binary' | 'pong'; payload: Buffer} | {kind: 'mark'; name: string};

export type Mode = 'once' | 'frames' | {chop: number}; // one write; a write per frame; the same bytes N at a time

export type Step =
  | {kind: 'write'; frames: Frame[]; mode: Mode}
  // One frame, cut at payload offsets, a pause after each part.
  | {kind: 'cuts'; frame: Frame; cuts: number[]; mark: string[]}
  | {kind: 'pause'; ms: number; mark: string};

export interface CloseExpected {
  by: 'fuzzer' | 'peer'; // whose Close comes first
  codes: number[];
  drop: boolean; // a TCP drop instead of a Close will do
}

// What the fuzzer asks for in the handshake: as a client in its offers (of the server's compressor), as a server in its
// answer (of the client's compressor). Empty: permessage-deflate with default settings.
export interface Offer {
  noContextTakeover: boolean;
  windowBits: number; // 0: not mentioned
}

interface Common {
  id: string;
  what: string;
  heavy: boolean; // moves megabytes or thousands of messages: few run at a time
  patienceMs: number; // how long nothing may come before it is given up
}

export interface Script extends Common {
  kind: 'script';
  steps: Step[];
  ok: Expected[];
  nonStrict: Expected[][];
  close: CloseExpected;
  informational: boolean;
}

export interface PingPong extends Common {
  kind: 'ping-pong';
  count: number;
  binary: boolean;
  size: number;
  fragment: number; // bytes per fragment; 0: whole
  message: (index: number) => Buffer;
  offers?: Offer[]; // permessage-deflate must be negotiated
  corpus: string;
}

export type Case = Script | PingPong;

export const fails = (...codes: number[]): CloseExpected => ({by: 'peer', codes, drop: true});
export const cleanly = (...codes: number[]): CloseExpected => ({by: 'fuzzer', codes, drop: false});
const normal = cleanly(1000);

export interface ScriptOptions {
  steps: Step[];
  ok?: Expected[];
  nonStrict?: Expected[][];
  close?: CloseExpected;
  informational?: boolean;
  heavy?: boolean;
  patienceMs?: number;
}

export function script(id: string, what: string, options: ScriptOptions): Script {
  return {
    kind: 'script',
    id,
    what,
    steps: options.steps,
    ok: options.ok ?? [],
    nonStrict: options.nonStrict ?? [],
    close: options.close ?? normal,
    informational: options.informational ?? false,
    heavy: options.heavy ?? false,
    patienceMs: options.patienceMs ?? 20_000,
  };
}

export const write = (frames: Frame[], mode: Mode = 'once'): Step => ({kind: 'write', frames, mode});
export const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex');
export const bytes = (value: string | Buffer): Buffer => (typeof value === 'string' ? Buffer.from(value) : value);

export const text = (payload: string | Buffer, more: Partial<Frame> = {}): Frame => ({
  opcode: 1,
  payload: bytes(payload),
  ...more,
});
export const binary = (payload: string | Buffer, more: Partial<Frame> = {}): Frame => ({
  opcode: 2,
  payload: bytes(payload),
  ...more,
});
export const more = (payload: string | Buffer, fin: boolean): Frame => ({opcode: 0, payload: bytes(payload), fin});
export const ping = (payload: string | Buffer = '', extra: Partial<Frame> = {}): Frame => ({
  opcode: 9,
  payload: bytes(payload),
  ...extra,
});
export const pong = (payload: string | Buffer = '', extra: Partial<Frame> = {}): Frame => ({
  opcode: 10,
  payload: bytes(payload),
  ...extra,
});
export const close = (payload: Buffer, extra: Partial<Frame> = {}): Frame => ({opcode: 8, payload, ...extra});

export const echoed = (payload: string | Buffer): Expected => ({kind: 'text', payload: bytes(payload)});
export const echoedBinary = (payload: string | Buffer): Expected => ({kind: 'binary', payload: bytes(payload)});
export const ponged = (payload: string | Buffer = ''): Expected => ({kind: 'pong', payload: bytes(payload)});
export const marked = (name: string): Expected => ({kind: 'mark', name});

// A message cut into fragments of `size` bytes.
export function fragments(opcode: number, payload: Buffer, size: number): Frame[] {
  const out: Frame[] = [];
  for (let at = 0; at < payload.length || at === 0; at += size)
    out.push({
      opcode: at === 0 ? opcode : 0,
      payload: payload.subarray(at, at + size),
      fin: at + size >= payload.length,
    });
  return out;
}
