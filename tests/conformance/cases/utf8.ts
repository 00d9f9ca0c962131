// 6: text must be UTF-8 (RFC 3629), wherever a frame or a segment happens to cut it.
import {type Case, echoed, fails, fragments, hex, marked, more, script, text, write} from './case.js';

const kosme = hex('ce ba e1 bd b9 cf 83 ce bc ce b5');
const invalid = fails(1007);

const good = (id: string, what: string, payload: Buffer): Case =>
  script(id, what, {steps: [write([text(payload)])], ok: [echoed(payload)]});
const bad = (id: string, what: string, payload: Buffer): Case =>
  script(id, what, {steps: [write([text(payload)])], close: invalid});
const shown = (payload: Buffer): string => payload.toString('hex').replace(/(..)(?=.)/g, '$1 ');
const goods = (prefix: string, what: string, list: string[]): Case[] =>
  list.map((digits, i) => good(`${prefix}.${i + 1}`, `${what}: ${digits}`, hex(digits)));
const bads = (prefix: string, what: string, list: string[]): Case[] =>
  list.map((digits, i) => bad(`${prefix}.${i + 1}`, `${what}: ${digits}`, hex(digits)));

function fragmented(): Case[] {
  const sentence = Buffer.from('Hello-µ@ßöäüàá-UTF-8!!');
  const cut = Buffer.byteLength('Hello-µ@ß');
  const surrogate = hex('ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64');
  const empty = Buffer.alloc(0);
  return [
    good('6.1.1', 'empty text', empty),
    script('6.1.2', '3 empty fragments', {
      steps: [write([text('', {fin: false}), more('', false), more('', true)])],
      ok: [echoed('')],
    }),
    script('6.1.3', 'fragments: empty, middle, empty', {
      steps: [write([text('', {fin: false}), more('middle frame payload', false), more('', true)])],
      ok: [echoed('middle frame payload')],
    }),
    good('6.2.1', 'valid multi-byte text, whole', sentence),
    script('6.2.2', 'the same, cut between two code points', {
      steps: [write([text(sentence.subarray(0, cut), {fin: false}), more(sentence.subarray(cut), true)])],
      ok: [echoed(sentence)],
    }),
    script('6.2.3', 'the same, 1-byte fragments', {steps: [write(fragments(1, sentence, 1))], ok: [echoed(sentence)]}),
    script('6.2.4', 'a Greek word, 1-byte fragments', {steps: [write(fragments(1, kosme, 1))], ok: [echoed(kosme)]}),
    bad('6.3.1', `a surrogate inside: ${shown(surrogate)}`, surrogate),
    script('6.3.2', 'the same, 1-byte fragments', {steps: [write(fragments(1, surrogate, 1))], close: invalid}),
  ];
}

// The text goes bad in its second part; a peer that notices at once does not sit through the second pause.
function failFast(): Case[] {
  const edited = Buffer.from('edited');
  const splits: [Buffer, Buffer, Buffer][] = [
    [kosme, hex('f4 90 80 80'), edited],
    [Buffer.concat([kosme, hex('f4')]), hex('90'), Buffer.concat([hex('80 80'), edited])],
  ];
  const expected = {ok: [marked('A')], nonStrict: [[marked('A'), marked('B')]], close: invalid};
  return [
    ...splits.map(([first, second, third], i) =>
      script(`6.4.${i + 1}`, `invalid from the 2nd of 3 frames on${i ? ', which stops at the bad byte' : ''}`, {
        steps: [
          write([text(first, {fin: false})]),
          {kind: 'pause', ms: 1000, mark: 'A'},
          write([more(second, false)]),
          {kind: 'pause', ms: 1000, mark: 'B'},
          write([more(third, true)]),
        ],
        ...expected,
      }),
    ),
    ...splits.map(([first, second, third], i) =>
      script(
        `6.4.${i + 3}`,
        `invalid from the 2nd of 3 pieces of one frame on${i ? ', which stops at the bad byte' : ''}`,
        {
          steps: [
            {
              kind: 'cuts',
              frame: text(Buffer.concat([first, second, third])),
              cuts: [first.length, first.length + second.length],
              mark: ['A', 'B'],
            },
          ],
          ...expected,
        },
      ),
    ),
  ];
}

function sequences(): Case[] {
  const hello = (middle: string) => Buffer.concat([Buffer.from('hello'), hex(middle), Buffer.from('world')]);
  const leads = (from: number, to: number) =>
    Buffer.from(Array.from({length: to - from + 1}, (_, i) => [from + i, 0x20]).flat());
  const continuations = (n: number) => Buffer.from(Array.from({length: n}, (_, i) => (i % 2 ? 0xbf : 0x80)));
  const cut = [
    'c0',
    'e0 80',
    'f0 80 80',
    'f8 80 80 80',
    'fc 80 80 80 80',
    'df',
    'ef bf',
    'f7 bf bf',
    'fb bf bf bf',
    'fd bf bf bf bf',
  ];
  const whole = [2, 5, 7, 9, 11];
  const planes = Array.from({length: 17}, (_, plane) => [plane * 0x10000 + 0xfffe, plane * 0x10000 + 0xffff]).flat();
  const specials = [0xfff9, 0xfffa, 0xfffb, 0xfffc, 0xfffd, 0xfffe, 0xffff];
  const point = (value: number) => `U+${value.toString(16).toUpperCase().padStart(4, '0')}`;
  return [
    ...['24', 'c2 a2', 'e2 82 ac', 'f0 a4 ad a2'].map((middle, i) =>
      good(`6.5.${i + 1}`, `hello ${middle} world`, hello(middle)),
    ),
    good('6.5.5', 'a Greek word', kosme),
    ...Array.from({length: 11}, (_, i) => {
      const prefix = kosme.subarray(0, i + 1);
      return (whole.includes(i + 1) ? good : bad)(`6.6.${i + 1}`, `the first ${i + 1} bytes of a Greek word`, prefix);
    }),
    ...goods('6.7', 'first code point of its length', ['00', 'c2 80', 'e0 a0 80', 'f0 90 80 80']),
    ...bads('6.8', 'first sequence of its length', ['f8 88 80 80 80', 'fc 84 80 80 80 80']),
    ...goods('6.9', 'last code point of its length', ['7f', 'df bf', 'ef bf bf', 'f4 8f bf bf']),
    ...bads('6.10', 'last sequence of its length', ['f7 bf bf bf', 'fb bf bf bf bf', 'fd bf bf bf bf bf']),
    ...goods('6.11', 'boundary', ['ed 9f bf', 'ee 80 80', 'ef bf bd', 'f4 8f bf bf']),
    bad('6.11.5', 'boundary: f4 90 80 80', hex('f4 90 80 80')),
    bad('6.12.1', 'lone continuation byte 80', hex('80')),
    bad('6.12.2', 'lone continuation byte bf', hex('bf')),
    ...[2, 3, 4, 5, 6].map((n) => bad(`6.12.${n + 1}`, `${n} continuation bytes`, continuations(n))),
    bad('6.12.8', 'all 64 continuation bytes', Buffer.from(Array.from({length: 64}, (_, i) => 0x80 + i))),
    ...(
      [
        [0xc0, 0xdf],
        [0xe0, 0xef],
        [0xf0, 0xf7],
        [0xf8, 0xfb],
        [0xfc, 0xfd],
      ] as const
    ).map(([from, to], i) =>
      bad(`6.13.${i + 1}`, `every lead byte of length ${i + 2}, a space behind each`, leads(from, to)),
    ),
    ...bads('6.14', 'last continuation byte missing', cut),
    bad('6.15.1', 'all of those joined', hex(cut.join(''))),
    ...bads('6.16', 'impossible bytes', ['fe', 'ff', 'fe fe ff ff']),
    ...bads('6.17', 'overlong solidus', ['c0 af', 'e0 80 af', 'f0 80 80 af', 'f8 80 80 80 af', 'fc 80 80 80 80 af']),
    ...bads('6.18', 'largest overlong', ['c1 bf', 'e0 9f bf', 'f0 8f bf bf', 'f8 87 bf bf bf', 'fc 83 bf bf bf bf']),
    ...bads('6.19', 'overlong NUL', ['c0 80', 'e0 80 80', 'f0 80 80 80', 'f8 80 80 80 80', 'fc 80 80 80 80 80']),
    ...bads('6.20', 'lone surrogate', [
      'ed a0 80',
      'ed ad bf',
      'ed ae 80',
      'ed af bf',
      'ed b0 80',
      'ed be 80',
      'ed bf bf',
    ]),
    ...bads('6.21', 'surrogate pair', [
      'ed a0 80 ed b0 80',
      'ed a0 80 ed bf bf',
      'ed ad bf ed b0 80',
      'ed ad bf ed bf bf',
      'ed ae 80 ed b0 80',
      'ed ae 80 ed bf bf',
      'ed af bf ed b0 80',
      'ed af bf ed bf bf',
    ]),
    ...planes.map((value, i) =>
      good(`6.22.${i + 1}`, `non-character ${point(value)}`, Buffer.from(String.fromCodePoint(value))),
    ),
    ...specials.map((value, i) =>
      good(`6.23.${i + 1}`, `special ${point(value)}`, Buffer.from(String.fromCodePoint(value))),
    ),
  ];
}

export const utf8 = (): Case[] => [...fragmented(), ...failFast(), ...sequences()];
