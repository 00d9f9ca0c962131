// 7: the closing handshake.
import {closePayload} from '../../lib/frame.js';
import {type Case, cleanly, close, echoed, fails, hex, more, ping, script, text, write} from './case.js';

const good = close(closePayload(1000));
const hello = 'Hello World!';

function order(): Case[] {
  const big = Buffer.alloc(256 * 1024, '*');
  return [
    // A peer may answer the Close before its application has echoed the message.
    script('7.1.1', 'message, Close', {steps: [write([text(hello), good])], ok: [echoed(hello)], nonStrict: [[]]}),
    script('7.1.2', 'two Closes', {steps: [write([good, good])]}),
    script('7.1.3', 'Close, ping', {steps: [write([good, ping()])]}),
    script('7.1.4', 'Close, text', {steps: [write([good, text(hello)])]}),
    script('7.1.5', 'fragment, Close, fragment', {
      steps: [write([text('fragment1', {fin: false}), good, more('fragment2', true)])],
    }),
    script('7.1.6', '256 KiB message, Close, ping', {
      steps: [write([text(big), good, ping()])],
      ok: [echoed(big)],
      nonStrict: [[]],
      informational: true,
    }),
  ];
}

function payloads(): Case[] {
  const payload = (id: string, what: string, bytes: Buffer, codes: number[]) =>
    script(id, what, {steps: [write([close(bytes)])], close: cleanly(...codes)});
  const refused = (id: string, what: string, bytes: Buffer, ...codes: number[]) =>
    script(id, what, {steps: [write([close(bytes)])], close: fails(...codes)});
  const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
  const never = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];
  return [
    payload('7.3.1', 'Close, empty', Buffer.alloc(0), [1000, 1005]),
    refused('7.3.2', 'Close of 1 byte', hex('61'), 1002),
    payload('7.3.3', 'Close with a code', closePayload(1000), [1000]),
    payload('7.3.4', 'Close with code and reason', closePayload(1000, hello), [1000]),
    payload('7.3.5', 'Close of 125 bytes', closePayload(1000, '*'.repeat(123)), [1000]),
    refused('7.3.6', 'Close of 126 bytes', closePayload(1000, '*'.repeat(124)), 1002),
    refused(
      '7.5.1',
      'Close whose reason is not UTF-8',
      closePayload(1000, hex('ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64')),
      1002,
      1007,
    ),
    ...codes.map((code, i) => payload(`7.7.${i + 1}`, `Close ${code}`, closePayload(code), [1000, code])),
    ...never.map((code, i) =>
      refused(`7.9.${i + 1}`, `Close ${code}, which nobody may send`, closePayload(code), 1002),
    ),
    ...[5000, 65535].map((code, i) =>
      script(`7.13.${i + 1}`, `Close ${code}`, {
        steps: [write([close(closePayload(code))])],
        close: fails(1000, 1002, code),
        informational: true,
      }),
    ),
  ];
}

export const closing = (): Case[] => [...order(), ...payloads()];
