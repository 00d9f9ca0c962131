// Five bodies of test data, made here and always the same: JSON, a bitmap, prose, HTML, and something packed like a
// PDF. They differ in what deflate makes of them; only that matters.
import {deflateSync} from 'node:zlib';

export type CorpusName = 'JSON' | 'bitmap' | 'prose' | 'HTML' | 'PDF';

const size = 1024 * 1024;

// xorshift32: small, and the same on every machine.
class Random {
  constructor(private x: number) {}
  next(below: number): number {
    this.x ^= this.x << 13;
    this.x ^= this.x >>> 17;
    this.x ^= this.x << 5;
    return (this.x >>> 0) % below;
  }
  pick<T>(from: readonly T[]): T {
    return from[this.next(from.length)]!;
  }
}

const words = (
  'the of and to in that it was for on with as his they be at one have this from or had by but what some we can out ' +
  'other were all there when up use your how said an each she which their time if will way about many then them ' +
  'would like so these her long make thing see him two has look more day could go come did my sound no most number ' +
  'who over know water than call first people may down side been now find river salmon current stone weir light ' +
  'morning autumn harbour signal message channel frame silence'
).split(' ');

const sentence = (random: Random): string => {
  const out = Array.from({length: 5 + random.next(14)}, () => random.pick(words));
  return `${out[0]![0]!.toUpperCase()}${out.join(' ').slice(1)}${random.pick(['.', '.', '.', '?', ';'])}`;
};

// Joins pieces until there is enough of them.
function filled(piece: (index: number) => Buffer | string): Buffer {
  const parts: Buffer[] = [];
  for (let got = 0, i = 0; got < size; ++i) {
    const part = Buffer.from(piece(i) as string);
    parts.push(part);
    got += part.length;
  }
  return Buffer.concat(parts).subarray(0, size);
}

const makers: Record<CorpusName, () => Buffer> = {
  JSON: () => {
    const random = new Random(11);
    return filled(
      (i) =>
        `${JSON.stringify({
          id: i,
          event: random.pick(['media', 'mark', 'delta', 'tool_call', 'usage']),
          user: {name: random.pick(words), verified: random.next(2) === 1},
          text: sentence(random),
          tags: [random.pick(words), random.pick(words)],
          at: 1_700_000_000 + i * 17,
          position: [random.next(36000) / 100, random.next(18000) / 100],
        })}\n`,
    );
  },
  bitmap: () => {
    const random = new Random(22);
    const width = 512;
    const out = Buffer.alloc(size);
    for (let i = 0; i < size; i += 4) {
      const x = (i / 4) % width,
        y = Math.floor(i / 4 / width);
      out[i] = (x + y) >> 2;
      out[i + 1] = (x ^ y) & 0xf0;
      out[i + 2] = random.next(16);
      out[i + 3] = 0xff;
    }
    return out;
  },
  prose: () => {
    const random = new Random(33);
    return filled(() => `${sentence(random)}${random.next(6) === 0 ? '\n\n' : ' '}`);
  },
  HTML: () => {
    const random = new Random(44);
    return filled(
      (i) =>
        `<article id="a${i}" class="card ${random.pick(['wide', 'narrow'])}"><h2>${sentence(random)}</h2>` +
        `<p>${sentence(random)} <a href="/read/${random.pick(words)}/${random.next(9999)}">` +
        `${random.pick(words)}</a> ${sentence(random)}</p>` +
        `<ul>${[0, 1, 2].map(() => `<li>${random.pick(words)}</li>`).join('')}</ul></article>\n`,
    );
  },
  PDF: () => {
    const random = new Random(55);
    return filled((i) => {
      const stream = deflateSync(
        Buffer.from(
          Array.from(
            {length: 40},
            () =>
              `BT /F1 ${8 + random.next(8)} Tf ${random.next(500)} ${random.next(800)} Td (${sentence(random)}) Tj ET`,
          ).join('\n'),
        ),
      );
      return Buffer.concat([
        Buffer.from(`${i} 0 obj\n<< /Length ${stream.length} /Filter /FlateDecode >>\nstream\n`),
        stream,
        Buffer.from('\nendstream\nendobj\n'),
      ]);
    });
  },
};

const made = new Map<CorpusName, Buffer>();

export const corpora = {
  names: ['JSON', 'bitmap', 'prose', 'HTML', 'PDF'] as CorpusName[],
  isBinary: (name: CorpusName): boolean => name === 'bitmap' || name === 'PDF',
  // The index-th message of `bytes` bytes: neighbouring messages are neighbouring slices, so context takeover has
  // something to find.
  slice(name: CorpusName, bytes: number, index: number): Buffer {
    if (!made.has(name)) made.set(name, makers[name]());
    const body = made.get(name)!;
    const at = (index * bytes) % (body.length - bytes);
    return body.subarray(at, at + bytes);
  },
};
