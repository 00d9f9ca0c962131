// Every case, in the order of its number, and what a default run takes of them.
import type {Case} from './case.js';
import {closing} from './closing.js';
import {framing} from './framing.js';
import {utf8} from './utf8.js';
import {volume} from './volume.js';

export const allCases = (): Case[] => {
  const cases = [...framing(), ...utf8(), ...closing(), ...volume()];
  const ids = new Set(cases.map((one) => one.id));
  if (cases.length !== 517 || ids.size !== 517)
    throw new Error(`the tables hold ${cases.length} cases with ${ids.size} ids, not 517`);
  const key = (id: string) =>
    id
      .split('.')
      .map((part) => part.padStart(4, '0'))
      .join('.');
  return cases.sort((a, b) => (key(a.id) < key(b.id) ? -1 : 1));
};

// Of the 216 compression cases a default run takes a few shapes of each corpus and each offer, with a quarter of the
// messages: small messages, usual ones, and many fragments with one peer, usual ones with the others.
const usual = {most: new Set(['2', '5', '11']), least: new Set(['5'])};
const compression = (one: Case): boolean => one.id.startsWith('12.') || one.id.startsWith('13.');

export function defaultCases(cases: Case[], how: keyof typeof usual): Case[] {
  return cases
    .filter((one) => !compression(one) || usual[how].has(one.id.split('.')[2]!))
    .map((one) =>
      one.kind === 'ping-pong' && compression(one) ? {...one, count: 250, what: one.what.replace('1000', '250')} : one,
    );
}

// "9.*", "6.4.?", "13.1.*": * and ? as in a shell, but * crosses dots.
export function matches(id: string, glob: string): boolean {
  const pattern = glob
    .split('')
    .map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[.+^${}()|[\]\\]/g, '\\$&')))
    .join('');
  return new RegExp(`^(?:${pattern})$`).test(id);
}
