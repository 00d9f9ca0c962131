import assert from 'node:assert/strict';
import {it} from 'node:test';
import type {RecordedMessage, Span} from '../src/api/types';
import {fellSilent, silentMoment, silentText} from '../src/sessions/silence';
import {messageName, messageNamed, timelineModel} from '../src/sessions/timeline_model';
import {preciseTime, time} from '../src/time/format';
import {recorder, world} from './fleet_data';

const noon = new Date(2026, 2, 1, 12, 0, 0).getTime();
const w = world(false, noon);
const message = (time_ms: number, side: 0 | 1, more: Partial<RecordedMessage> = {}): RecordedMessage => ({
  time_ms: noon + time_ms,
  side,
  type: 'text',
  length: 10,
  compressed: false,
  injected: false,
  answered: false,
  ...more,
});
const ping = (time_ms: number, side: 0 | 1, answered: boolean) =>
  message(time_ms, side, {type: 'ping', injected: true, answered});
const ended = {...w.vanished, ended_ms: noon + 75_000, end_reason: 'heartbeat_timeout' as const};

it('tells when a peer fell silent: between its last sign of life and the first ping without an answer', () => {
  // Our pings to the client are sent in the server's place. The server, too, is pinged, and answers.
  const heard = [
    ping(0, 1, true),
    message(4000, 0),
    ping(5000, 0, true),
    ping(30_000, 1, false),
    message(31_000, 1),
    ping(35_000, 0, true),
    ping(60_000, 1, false),
  ];
  const found = fellSilent(ended, heard, null)!;
  assert.deepEqual(found, {leg: 0, from: noon + 4000, to: noon + 30_000, sign: 'message'});
  assert.equal(
    silentText(found),
    `The client fell silent at ${time(noon + 17_000)} ± 13 s: between ${preciseTime(noon + 4000)}, its last message, ` +
      `and ${preciseTime(noon + 30_000)}, the first ping it did not answer.`,
  );
  // A ping that was answered after the last message is the later sign.
  const answered = [message(4000, 0), ping(10_000, 1, true), ping(30_000, 1, false), ping(60_000, 1, false)];
  assert.deepEqual(fellSilent(ended, answered, null), {
    leg: 0,
    from: noon + 10_000,
    to: noon + 30_000,
    sign: 'pong',
  });
  // The proxy saw the last byte itself.
  const connection = {
    attributes: [
      {key: 'websocket.silent.leg', value: 'client'},
      {key: 'websocket.silent.since', value: (noon + 12_000) / 1000},
    ],
  } as unknown as Span;
  assert.deepEqual(fellSilent(ended, answered, connection), {
    leg: 0,
    from: noon + 12_000,
    to: noon + 30_000,
    sign: 'byte',
  });
  // A miss that was made good later is no silence.
  const recovered = [message(0, 0), ping(10_000, 1, false), message(20_000, 0), ping(40_000, 1, true)];
  assert.equal(fellSilent({...ended, end_reason: 'normal'}, recovered, null), null);
  // One that was answered late is none, either: the peer spoke after it.
  const late = [ping(10_000, 1, false), message(12_000, 0), ping(30_000, 1, false), ping(60_000, 1, false)];
  assert.deepEqual(fellSilent(ended, late, null), {
    leg: 0,
    from: noon + 12_000,
    to: noon + 30_000,
    sign: 'message',
  });
  // The server's leg: pings to it are sent in the client's place.
  const server = [message(2000, 1), ping(9000, 0, false), ping(39_000, 0, false)];
  assert.equal(fellSilent(ended, server, null)!.leg, 1);
});

it('says the moment as exactly as it is known', () => {
  const moment = (ms: number) => silentMoment({leg: 0, from: noon, to: noon + ms, sign: 'pong'});
  assert.match(moment(30_000), /\d\d:\d\d:\d\d ± 15 s$/);
  assert.match(moment(600), /\d\d:\d\d:\d\d\.\d{3} ± 300 ms$/);
});

it('knows a message again when others came and old ones went', () => {
  const all = [message(0, 0), message(5, 1), message(5, 0), message(5, 1), message(5.25, 1)];
  const names = all.map((_, i) => messageName(all, i));
  assert.equal(new Set(names).size, all.length);
  assert.deepEqual(
    names.map((name) => messageNamed(all, name)),
    [0, 1, 2, 3, 4],
  );
  const later = [...all.slice(1), message(9, 0)];
  assert.deepEqual(
    names.map((name) => messageNamed(later, name)),
    [null, 0, 1, 2, 3],
  );
  for (const nothing of [null, '', '3', 'x-0', `${noon}-2`, `${noon}-0-1`])
    assert.equal(messageNamed(all, nothing), null);
});

it('puts it into the timeline of a session that died', () => {
  const model = timelineModel(w.vanished, recorder(w, w.vanished), [], noon);
  assert.equal(model.fell?.leg, 0);
  assert.deepEqual(model.alarming, [true, false]);
  assert.ok(model.fell.from < model.fell.to && model.fell.to < w.vanished.ended_ms!);
});
