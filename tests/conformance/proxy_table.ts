// Requests the proxy must refuse, and answers of an upstream it must not pass on, as data.
import assert from 'node:assert/strict';
import {acceptKey, type Head, upgradeResponse} from '../lib/endpoint.js';
import type {Bench, Pair} from './bench.js';

interface BadRequest {
  what: string;
  status: number;
  body: RegExp;
  anomaly: string; // counted once; "" = not an anomaly
  make: (bench: Bench, path: string) => string | Buffer;
}

interface Answer {
  what: string;
  status: number; // what the client gets
  body: RegExp;
  relayed?: boolean; // the upstream's own refusal, not the proxy's
  uncounted?: boolean; // a 502 for a connection that died, which is no misbehaviour in HTTP
  make: (request: Head) => string | undefined; // undefined: says nothing
}

const upgraded = (
  what: string,
  change: Record<string, string | string[] | undefined>,
  body: RegExp,
  status = 400,
  anomaly = 'handshake_invalid',
): BadRequest => ({what, status, body, anomaly, make: (bench, path) => bench.upgrade(path, change)});
const started = (
  what: string,
  start: (path: string) => string,
  body: RegExp,
  status = 400,
  anomaly = 'handshake_invalid',
): BadRequest => ({what, status, body, anomaly, make: (bench, path) => bench.upgrade(path, {}, start(path))});
// One line among the others, exactly as given.
const line = (what: string, text: string, body: RegExp, status = 400, anomaly = 'smuggling'): BadRequest => ({
  what,
  status,
  body,
  anomaly,
  make: (bench, path) => bench.upgrade(path).replace(/\r\n\r\n$/, `\r\n${text}\r\n\r\n`),
});
const whole = (
  what: string,
  bytes: (path: string) => string,
  body: RegExp,
  status = 400,
  anomaly = 'handshake_invalid',
): BadRequest => ({what, status, body, anomaly, make: (_, path) => Buffer.from(bytes(path), 'latin1')});

const requests: BadRequest[] = [
  upgraded('no key', {'Sec-WebSocket-Key': undefined}, /key/i),
  upgraded('a key of 15 bytes', {'Sec-WebSocket-Key': Buffer.alloc(15).toString('base64')}, /key/i),
  upgraded('a key that is no base64', {'Sec-WebSocket-Key': '!!!!!!!!!!!!!!!!!!!!!!=='}, /key/i),
  upgraded('two keys', {'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ==']}, /key/i),
  upgraded('no version', {'Sec-WebSocket-Version': undefined}, /version/i),
  upgraded('version 8', {'Sec-WebSocket-Version': '8'}, /13/, 426),
  upgraded('version 14', {'Sec-WebSocket-Version': '14'}, /13/, 426),
  upgraded('two versions', {'Sec-WebSocket-Version': ['13', '13']}, /version/i),
  upgraded('Connection without Upgrade', {Connection: 'keep-alive'}, /Connection/),
  upgraded('no Host', {Host: undefined}, /Host/),
  upgraded('two Hosts', {Host: ['a', 'b']}, /Host/, 400, 'smuggling'),
  upgraded('a Host with a path', {Host: 'a/b'}, /Host/),
  started('POST', (path) => `POST ${path} HTTP/1.1`, /GET/),
  started('HTTP/1.0', (path) => `GET ${path} HTTP/1.0`, /HTTP\/1\.1/),
  started('HTTP/2.0', (path) => `GET ${path} HTTP/2.0`, /version/i, 505),
  started('no version in the request line', (path) => `GET ${path}`, /request line|version/i),
  started('a space in the target', (path) => `GET ${path} x HTTP/1.1`, /target|request line/i),
  started('two spaces in the request line', (path) => `GET  ${path} HTTP/1.1`, /request line|target/i),
  started('a control byte in the target', (path) => `GET ${path}\x01 HTTP/1.1`, /control/i, 400, 'smuggling'),
  line('a body announced', 'Content-Length: 5', /body/),
  line('a chunked body announced', 'Transfer-Encoding: chunked', /body/),
  line('two different Content-Lengths', 'Content-Length: 0\r\nContent-Length: 5', /length/i),
  line('Content-Length and Transfer-Encoding', 'Content-Length: 0\r\nTransfer-Encoding: chunked', /length|encoding/i),
  line('a signed Content-Length', 'Content-Length: +0', /length/i),
  line('a list as Content-Length', 'Content-Length: 0, 5', /length/i),
  line('an unknown Transfer-Encoding', 'Transfer-Encoding: xchunked', /coding/i, 501, 'handshake_invalid'),
  line('a folded line', 'X-Folded: a\r\n b', /white space/),
  line('a space before the colon', 'X-Space : a', /colon/),
  line('a line without a colon', 'nocolon', /colon/, 400, 'handshake_invalid'),
  line('an empty name', ': a', /name/),
  line('a name with a control byte', 'X\x01Y: a', /control/i),
  line('NUL in a value', 'X-Nul: a\0b', /control/i),
  line('a lone CR in a value', 'X-Cr: a\rb', /CR/),
  line('a lone LF in a value', 'X-Lf: a\nX-Other: b', /LF/),
  line('DEL in a value', 'X-Del: a\x7fb', /control/i),
  line('Connection that names an end-to-end field', 'Connection: Sec-WebSocket-Key', /Connection/),
  line('a head over the limit', `X-Big: ${'x'.repeat(20_000)}`, /large/, 431, 'header_too_large'),
  line(
    '101 fields over the limit',
    Array.from({length: 120}, (_, i) => `X-${i}: 1`).join('\r\n'),
    /fields/,
    431,
    'header_too_large',
  ),
  whole('no HTTP at all', () => 'hello there\r\n\r\n', /request line/),
  whole('a bare frame', () => '\x81\x85\0\0\0\0hello\r\n\r\n', /control/, 400, 'smuggling'),
  whole('a TLS ClientHello', () => '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', /control/, 400, 'smuggling'),
  whole('lines that end in LF alone', (path) => `GET ${path} HTTP/1.1\nHost: a\n\n`, /LF/, 400, 'smuggling'),
  whole('the HTTP/2 preface', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /./, 505),
  whole('CONNECT', () => 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n', /CONNECT/, 501),
];

const switching = (request: Head, change: (lines: string[]) => string[]): string =>
  `${change(upgradeResponse(request).trimEnd().split('\r\n')).join('\r\n')}\r\n\r\n`;
const without = (lines: string[], name: string): string[] =>
  lines.filter((each) => !each.toLowerCase().startsWith(`${name.toLowerCase()}:`));

const answers: Answer[] = [
  {
    what: "200 with a body is the upstream's own answer and passes",
    status: 200,
    body: /^no upgrade here$/,
    relayed: true,
    make: () => 'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nno upgrade here',
  },
  {
    what: '401 passes',
    status: 401,
    body: /^who are you$/,
    relayed: true,
    make: () => 'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 11\r\n\r\nwho are you',
  },
  {
    what: 'a redirect passes',
    status: 302,
    body: /^$/,
    relayed: true,
    make: () => 'HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n',
  },
  {
    what: 'the wrong Accept',
    status: 502,
    body: /Accept/,
    make: (request) =>
      switching(request, (lines) => [
        ...without(lines, 'Sec-WebSocket-Accept'),
        `Sec-WebSocket-Accept: ${acceptKey('x')}`,
      ]),
  },
  {
    what: 'no Accept',
    status: 502,
    body: /Accept/,
    make: (request) => switching(request, (lines) => without(lines, 'Sec-WebSocket-Accept')),
  },
  {
    what: 'two Accepts',
    status: 502,
    body: /Accept/,
    make: (request) =>
      switching(request, (lines) => [
        ...lines,
        `Sec-WebSocket-Accept: ${acceptKey(request.get('sec-websocket-key')!)}`,
      ]),
  },
  {
    what: 'no Upgrade',
    status: 502,
    body: /Upgrade/,
    make: (request) => switching(request, (lines) => without(lines, 'Upgrade')),
  },
  {
    what: 'Upgrade to something else',
    status: 502,
    body: /Upgrade/,
    make: (request) => switching(request, (lines) => [...without(lines, 'Upgrade'), 'Upgrade: h2c']),
  },
  {
    what: 'no Connection',
    status: 502,
    body: /Connection/,
    make: (request) => switching(request, (lines) => without(lines, 'Connection')),
  },
  {
    what: 'a subprotocol nobody offered',
    status: 502,
    body: /subprotocol/,
    make: (request) => switching(request, (lines) => [...lines, 'Sec-WebSocket-Protocol: other']),
  },
  {
    what: 'two subprotocols',
    status: 502,
    body: /subprotocol/,
    make: (request) =>
      switching(request, (lines) => [...lines, 'Sec-WebSocket-Protocol: chat', 'Sec-WebSocket-Protocol: chat']),
  },
  {
    what: 'an extension nobody offered',
    status: 502,
    body: /extension/,
    make: (request) => switching(request, (lines) => [...lines, 'Sec-WebSocket-Extensions: x-other']),
  },
  {
    what: 'permessage-deflate twice',
    status: 502,
    body: /extension/,
    make: (request) =>
      switching(request, (lines) => [...lines, 'Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate']),
  },
  {
    what: 'client_max_window_bits nobody offered',
    status: 502,
    body: /extension/,
    make: (request) =>
      switching(request, (lines) => [
        ...lines,
        'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10',
      ]),
  },
  {
    what: 'window bits out of range',
    status: 502,
    body: /extension/,
    make: (request) =>
      switching(request, (lines) => [
        ...lines,
        'Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16',
      ]),
  },
  {
    what: '101 in HTTP/1.0',
    status: 502,
    body: /HTTP\/1\.0/,
    make: (request) => switching(request, ([, ...rest]) => ['HTTP/1.0 101 Switching Protocols', ...rest]),
  },
  {what: 'no HTTP at all', status: 502, body: /./, make: () => 'SSH-2.0-OpenSSH_9.2\r\n\r\n'},
  {
    what: 'a head that never ends',
    status: 502,
    body: /./,
    make: () => `HTTP/1.1 101 Switching Protocols\r\nX: ${'x'.repeat(40_000)}`,
  },
  {
    what: 'a folded line in the head',
    status: 502,
    body: /./,
    make: (request) => switching(request, (lines) => [...lines, 'X-Folded: a', ' b']),
  },
  {what: 'a status that is none', status: 502, body: /./, make: () => 'HTTP/1.1 1x1 Huh\r\n\r\n'},
  {what: 'the connection ends without an answer', status: 502, body: /./, uncounted: true, make: () => ''},
  {
    what: 'the connection ends within the head',
    status: 502,
    body: /./,
    uncounted: true,
    make: () => 'HTTP/1.1 101 Switch',
  },
  {what: 'nothing, ever', status: 504, body: /time/, make: () => undefined},
];

export const proxyTable = {requests, answers};

export function matchesAccept(pair: Pair): void {
  assert.equal(pair.client.head.get('sec-websocket-accept'), acceptKey(pair.server.head.get('sec-websocket-key')!));
}
