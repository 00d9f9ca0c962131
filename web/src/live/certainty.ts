// Whether "nothing is wrong" may be said at all: only when everything that could say otherwise was asked, has answered,
// and is fresh. No React here: tested by itself.
import type {Proxy, Unheard} from '../api/types';
import {count, duration} from '../text/units';
import {time} from '../time/format';
import type {LiveState} from './socket';

export interface Question {
  /** What it asks for, as the object of a sentence. */
  what: string;
  error: Error | null;
  /** Since the last answer; null: none yet. */
  age_ms: number | null;
  /** How often it is asked. */
  every_ms: number;
}

export interface Evidence {
  stream: {state: LiveState; age_ms: number | null}; // since its last message; null: none yet
  proxies: readonly Proxy[] | null;
  unheard: Unheard | null;
  questions: readonly Question[];
  storeTrouble: string;
}

export interface Certainty {
  /** Asked for the first time, and not answered yet. */
  waiting: boolean;
  /** What is not known, a sentence each. */
  doubts: string[];
}

/** The stream speaks each second; one that is lost may be back in a moment. */
const STREAM_STALE_MS = 5000,
  LOST_STALE_MS = 2000;
const GRACE_MS = 10_000;

/** When the stream was last heard from, once that is too long ago for what it said to be called present; else null. */
export function staleSince(state: LiveState, heard_ms: number | null, now_ms: number): number | null {
  if (heard_ms === null) return null;
  return now_ms - heard_ms > (state === 'lost' ? LOST_STALE_MS : STREAM_STALE_MS) ? heard_ms : null;
}

export function certainty(evidence: Evidence, now_ms: number): Certainty {
  const doubts: string[] = [];
  let waiting = false;
  const {state, age_ms} = evidence.stream;
  const stale = age_ms !== null && age_ms > STREAM_STALE_MS;
  if (state === 'lost' || stale)
    doubts.push(
      `The console has not been heard from ${age_ms === null ? 'yet' : `since ${time(now_ms - age_ms)}`}: ` +
        'how open sessions are now is not known.',
    );
  else if (age_ms === null) waiting = true;
  for (const one of evidence.questions) {
    if (one.error) doubts.push(`The question about ${one.what} failed: ${one.error.message}`);
    else if (one.age_ms === null) waiting = true;
    else if (one.age_ms > one.every_ms + GRACE_MS)
      doubts.push(`What is known of ${one.what} is ${duration(Math.round(one.age_ms / 1000))} old.`);
  }
  if (evidence.storeTrouble) doubts.push(`The store has trouble: ${evidence.storeTrouble}`);
  doubts.push(...proxyDoubts(evidence.proxies ?? [], evidence.unheard));
  if (evidence.proxies?.every((one) => one.state === 'drained'))
    doubts.push('No proxy reports to this console, so no session is seen.');
  return {waiting: waiting && doubts.length === 0, doubts};
}

function proxyDoubts(proxies: readonly Proxy[], unheard: Unheard | null): string[] {
  const doubts: string[] = [];
  if (unheard) doubts.push(`${unheardText(unheard)}: how these are now is not known.`);
  for (const one of proxies) {
    if (one.state === 'connected' || one.state === 'drained') continue;
    const name = `${one.service} on ${one.host}`;
    if (one.state === 'lost')
      doubts.push(`The proxy ${name} was lost at ${time(one.heard_ms)}: what it has carried since is not known.`);
    else if (!unheard) doubts.push(`The proxy ${name} has not been heard from since ${time(one.heard_ms)}.`);
  }
  return doubts;
}

/** "150 of 300 open sessions have not been heard from since 14:03:05" */
export function unheardText({sessions, of, since_ms}: Unheard): string {
  const all = sessions === of ? 'All' : `${count(sessions)} of`;
  const many = of === 1 ? 'The only open session has' : `${all} ${count(of)} open sessions have`;
  return `${many} not been heard from since ${time(since_ms)}`;
}
