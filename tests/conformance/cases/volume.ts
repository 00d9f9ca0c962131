// 9 limits and speed, 10 auto-fragmentation, 12 and 13 permessage-deflate.
import {type Case, binary, echoed, echoedBinary, fragments, type Offer, script, text, write} from './case.js';
import {corpora, type CorpusName} from '../corpora.js';

const kib = 1024;
const mib = 1024 * kib;

// Text and bytes with no period a lost or doubled block could hide in.
function filler(size: number, ascii: boolean): Buffer {
  const out = Buffer.allocUnsafe(size);
  let x = 0x9e3779b9 ^ size;
  for (let i = 0; i < size; ++i) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    out[i] = ascii ? 0x20 + ((x >>> 8) & 63) : x >>> 8;
  }
  return out;
}
const kept = new Map<string, Buffer>();
const fill = (size: number, ascii: boolean): Buffer => {
  const key = `${size}${ascii}`;
  if (!kept.has(key)) kept.set(key, filler(size, ascii));
  return kept.get(key)!;
};
const named = (size: number): string =>
  size >= mib ? `${size / mib} MiB` : size >= kib ? `${size / kib} KiB` : `${size} B`;
// Payloads are made when the case runs, not when the table is built.
const big = (
  id: string,
  what: string,
  size: number,
  ascii: boolean,
  steps: (payload: Buffer) => Parameters<typeof script>[2]['steps'],
): Case => {
  const one = script(id, what, {steps: [], heavy: true, patienceMs: 60_000});
  Object.defineProperty(one, 'steps', {get: () => steps(fill(size, ascii)), enumerable: true});
  Object.defineProperty(one, 'ok', {get: () => [(ascii ? echoed : echoedBinary)(fill(size, ascii))], enumerable: true});
  return one;
};

function limits(): Case[] {
  const out: Case[] = [];
  const sizes = [64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib];
  const pieces = [64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib];
  const chops = [64, 128, 256, 512, 1024, 2048];
  const small = [0, 16, 64, 256, 1024, 4096];
  for (const [at, ascii] of [
    [0, true],
    [1, false],
  ] as const) {
    const kind = ascii ? 'text' : 'binary';
    const frame = ascii ? text : binary;
    sizes.forEach((size, i) =>
      out.push(
        big(`9.${1 + at}.${i + 1}`, `${kind} message of ${named(size)}`, size, ascii, (p) => [write([frame(p)])]),
      ),
    );
    pieces.forEach((size, i) =>
      out.push(
        big(`9.${3 + at}.${i + 1}`, `${kind} message of 4 MiB in fragments of ${named(size)}`, 4 * mib, ascii, (p) => [
          write(fragments(ascii ? 1 : 2, p, size)),
        ]),
      ),
    );
    chops.forEach((chop, i) =>
      out.push(
        big(
          `9.${5 + at}.${i + 1}`,
          `${kind} message of 1 MiB in one frame, ${chop} bytes at a time`,
          mib,
          ascii,
          (p) => [write([frame(p)], {chop})],
        ),
      ),
    );
    small.forEach((size, i) =>
      out.push({
        kind: 'ping-pong',
        id: `9.${7 + at}.${i + 1}`,
        what: `1000 ${kind} messages of ${size} bytes, one after the other's echo`,
        heavy: true,
        patienceMs: 20_000,
        count: 1000,
        binary: !ascii,
        size,
        fragment: 0,
        message: () => fill(size, ascii),
        corpus: '',
      }),
    );
  }
  const auto = fill(64 * kib, true);
  out.push(
    script('10.1.1', '64 KiB text in fragments of 1300 bytes', {
      steps: [write(fragments(1, auto, 1300))],
      ok: [echoed(auto)],
    }),
  );
  return out;
}

// [message size, fragment size]
const shapes: [number, number][] = [
  ...[16, 64, 256, kib, 4 * kib, 8 * kib, 16 * kib, 32 * kib, 64 * kib, 128 * kib].map((size): [number, number] => [
    size,
    0,
  ]),
  ...[8 * kib, 16 * kib, 32 * kib, 64 * kib, 128 * kib].map((size): [number, number] => [size, 256]),
  ...[kib, 4 * kib, 32 * kib].map((piece): [number, number] => [128 * kib, piece]),
];

function deflated(prefix: string, corpus: CorpusName, offers: Offer[], how: string): Case[] {
  return shapes.map(([size, fragment], i) => ({
    kind: 'ping-pong',
    id: `${prefix}.${i + 1}`,
    heavy: true,
    patienceMs: 60_000,
    count: 1000,
    size,
    fragment,
    offers,
    corpus,
    binary: corpora.isBinary(corpus),
    what:
      `permessage-deflate${how}: 1000 ${corpus} messages of ${named(size)}` +
      (fragment ? ` in fragments of ${named(fragment)}` : ''),
    message: (index) => corpora.slice(corpus, size, index),
  }));
}

function compression(): Case[] {
  const offer = (noContextTakeover: boolean, windowBits: number): Offer => ({noContextTakeover, windowBits});
  const lists = [
    [offer(false, 0)],
    [offer(true, 0)],
    [offer(false, 9)],
    [offer(false, 15)],
    [offer(true, 9)],
    [offer(true, 15)],
    [offer(true, 9), offer(true, 0), offer(false, 0)],
  ];
  const shown = (list: Offer[]) =>
    list.map((one) => `${one.noContextTakeover ? 'yes' : 'no'},${one.windowBits || '-'}`).join('; ');
  return [
    ...corpora.names.flatMap((name, i) => deflated(`12.${i + 1}`, name, [offer(false, 0)], '')),
    ...lists.flatMap((list, i) => deflated(`13.${i + 1}`, 'JSON', list, ` (${shown(list)})`)),
  ];
}

export const volume = (): Case[] => [...limits(), ...compression()];
