// 1 lengths, 2 pings and pongs, 3 reserved bits, 4 reserved opcodes, 5 fragmentation.
import {closePayload, type Frame} from '../../lib/frame.js';
import {
  binary,
  type Case,
  close,
  echoed,
  echoedBinary,
  fails,
  hex,
  marked,
  type Mode,
  more,
  ping,
  pong,
  ponged,
  script,
  text,
  write,
} from './case.js';

const modes: Mode[] = ['once', 'frames', {chop: 1}];
const protocol = fails(1002);

function lengths(): Case[] {
  const sizes = [0, 125, 126, 127, 128, 65535, 65536];
  const out: Case[] = [];
  for (const [group, frame, echo] of [
    [1, text, echoed],
    [2, binary, echoedBinary],
  ] as const) {
    sizes.forEach((size, i) => {
      const payload = Buffer.alloc(size, group === 1 ? '*' : 0xfe);
      out.push(
        script(`1.${group}.${i + 1}`, `${frame.name} message of ${size} bytes`, {
          steps: [write([frame(payload)])],
          ok: [echo(payload)],
        }),
      );
    });
    const payload = Buffer.alloc(65536, group === 1 ? '*' : 0xfe);
    out.push(
      script(`1.${group}.8`, `${frame.name} message of 65536 bytes, 997 at a time`, {
        steps: [write([frame(payload)], {chop: 997})],
        ok: [echo(payload)],
      }),
    );
  }
  return out;
}

function pings(): Case[] {
  const odd = hex('00 ff fe fd fc fb 00 ff');
  const long = Buffer.alloc(125, 0xfe);
  const ten = Array.from({length: 10}, (_, i) => `payload-${i}`);
  const tenPongs = {ok: ten.map((payload) => ponged(payload)), nonStrict: [[ponged(ten[9])]]};
  return [
    script('2.1', 'ping, empty', {steps: [write([ping()])], ok: [ponged()]}),
    script('2.2', 'ping, small text', {steps: [write([ping('Hello, world!')])], ok: [ponged('Hello, world!')]}),
    script('2.3', 'ping, small, not UTF-8', {steps: [write([ping(odd)])], ok: [ponged(odd)]}),
    script('2.4', 'ping of 125 bytes', {steps: [write([ping(long)])], ok: [ponged(long)]}),
    script('2.5', 'ping of 126 bytes', {steps: [write([ping(Buffer.alloc(126, 0xfe))])], close: protocol}),
    script('2.6', 'ping of 125 bytes, byte by byte', {steps: [write([ping(long)], {chop: 1})], ok: [ponged(long)]}),
    script('2.7', 'unsolicited pong, empty', {steps: [write([pong()])]}),
    script('2.8', 'unsolicited pong with payload', {steps: [write([pong('unsolicited pong payload')])]}),
    script('2.9', 'unsolicited pong, then a ping', {
      steps: [write([pong('unsolicited pong payload'), ping('ping payload')])],
      ok: [ponged('ping payload')],
    }),
    script('2.10', '10 pings in a row', {steps: [write(ten.map((payload) => ping(payload)))], ...tenPongs}),
    script('2.11', '10 pings in a row, byte by byte', {
      steps: [
        write(
          ten.map((payload) => ping(payload)),
          {chop: 1},
        ),
      ],
      ...tenPongs,
    }),
  ];
}

// Good text, the bad frame, a ping that must not be answered.
function behindGood(id: string, what: string, bad: Frame, mode: Mode): Case {
  const good = 'Hello, world!';
  return script(id, `good text, ${what}, ping`, {
    steps: [write([text(good), bad, ping()], mode)],
    ok: [echoed(good)],
    nonStrict: [[]],
    close: protocol,
  });
}
const alone = (id: string, what: string, bad: Frame): Case =>
  script(id, what, {steps: [write([bad])], close: protocol});

function reservedBits(): Case[] {
  const payload = 'Hello, world!';
  return [
    alone('3.1', 'text with RSV 1', text(payload, {rsv: 1})),
    ...[2, 3, 4].map((rsv, i) => behindGood(`3.${i + 2}`, `text with RSV ${rsv}`, text(payload, {rsv}), modes[i]!)),
    alone('3.5', 'binary with RSV 5', binary(hex('00 ff fe fd fc fb 00 ff'), {rsv: 5})),
    alone('3.6', 'ping with RSV 6', ping(payload, {rsv: 6})),
    alone('3.7', 'Close with RSV 7', close(closePayload(1000), {rsv: 7})),
  ];
}

function reservedOpcodes(): Case[] {
  const out: Case[] = [];
  const frame = (opcode: number, payload: string): Frame => ({opcode, payload: Buffer.from(payload)});
  for (const [group, first] of [
    [1, 3],
    [2, 11],
  ] as const) {
    out.push(alone(`4.${group}.1`, `opcode ${first}`, frame(first, '')));
    out.push(alone(`4.${group}.2`, `opcode ${first + 1} with payload`, frame(first + 1, 'reserved opcode payload')));
    modes.forEach((mode, i) =>
      out.push(
        behindGood(
          `4.${group}.${i + 3}`,
          `opcode ${first + 2 + i}`,
          frame(first + 2 + i, i ? 'reserved opcode payload' : ''),
          mode,
        ),
      ),
    );
  }
  return out;
}

function fragmentation(): Case[] {
  const named = ['in one write', 'a write per frame', 'byte by byte'];
  const f = (i: number) => `fragment${i}`;
  const two = [text(f(1), {fin: false}), more(f(2), true)];
  const both = echoed(f(1) + f(2));
  const five = (i: number): Frame => (i === 1 ? text(f(1), {fin: false}) : more(f(i), i === 5));
  const all = echoed([1, 2, 3, 4, 5].map(f).join(''));
  const orphan = (fin: boolean) => more('non-continuation payload', fin);
  return [
    script('5.1', 'ping in 2 fragments', {
      steps: [write([ping(f(1), {fin: false}), more(f(2), true)])],
      close: protocol,
    }),
    script('5.2', 'pong in 2 fragments', {
      steps: [write([pong(f(1), {fin: false}), more(f(2), true)])],
      close: protocol,
    }),
    ...modes.map((mode, i) =>
      script(`5.${3 + i}`, `text in 2 fragments, ${named[i]}`, {steps: [write(two, mode)], ok: [both]}),
    ),
    ...modes.map((mode, i) =>
      script(`5.${6 + i}`, `fragment, ping, fragment, ${named[i]}`, {
        steps: [write([two[0]!, ping('ping payload'), two[1]!], mode)],
        ok: [ponged('ping payload'), both],
      }),
    ),
    ...[true, false].flatMap((fin, half) =>
      modes.map((mode, i) =>
        script(
          `5.${9 + half * 3 + i}`,
          `continuation (FIN=${fin ? 1 : 0}) with nothing to continue, text, ${named[i]}`,
          {
            steps: [write([orphan(fin), text('Hello, world!')], mode)],
            close: protocol,
          },
        ),
      ),
    ),
    script('5.15', 'good text in 2 fragments, continuation (FIN=0) with nothing to continue, good text', {
      steps: [write([...two, more(f(3), false), text(f(4))])],
      ok: [both],
      nonStrict: [[]],
      close: protocol,
    }),
    ...[false, true].map((fin, i) =>
      script(`5.${16 + i}`, `twice: continuation (FIN=${fin ? 1 : 0}) with nothing to continue, text in 2 fragments`, {
        steps: [write([0, 1].flatMap(() => [more(f(1), fin), text(f(2), {fin: false}), more(f(3), true)]))],
        close: protocol,
      }),
    ),
    script('5.18', 'text in 2 fragments, both with opcode text', {
      steps: [write([text(f(1), {fin: false}), text(f(2))])],
      close: protocol,
    }),
    ...(['once', 'frames'] as const).map((mode, i) =>
      script(`5.${19 + i}`, `5 fragments, pings after #2 and #4, a pause between, ${named[i]}`, {
        steps: [
          write([five(1), five(2), ping('pongme 1!')], mode),
          {kind: 'pause', ms: 1000, mark: 'A'},
          write([five(3), five(4), ping('pongme 2!'), five(5)], mode),
        ],
        ok: [ponged('pongme 1!'), marked('A'), ponged('pongme 2!'), all],
      }),
    ),
  ];
}

export const framing = (): Case[] => [
  ...lengths(),
  ...pings(),
  ...reservedBits(),
  ...reservedOpcodes(),
  ...fragmentation(),
];
