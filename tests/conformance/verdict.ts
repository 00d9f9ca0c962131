// Whether a verdict counts against the proxy.
//
// A peer may answer one case in more than one way: python3-websockets drops an echo that still waits to be sent when it
// reads a Close or a violation, or sends it, as its event loop has it. So one verdict of the peer alone is no measure.
// A difference is tried again: the peer alone and the peer behind the proxy, in turn. What the peer alone has ever done
// excuses the proxy; otherwise the difference counts once it was seen often enough, which a proxy that is always wrong
// reaches at once and one that is wrong now and then within the bound.
import type {Case, CloseVerdict, Verdict} from './cases/case.js';
import type {Outcome} from './fuzzer.js';

const rank: Record<Verdict, number> = {OK: 0, INFORMATIONAL: 0, 'NON-STRICT': 1, UNIMPLEMENTED: 2, FAILED: 3};
const closeRank: Record<CloseVerdict, number> = {OK: 0, INFORMATIONAL: 0, 'WRONG CODE': 1, UNCLEAN: 2, FAILED: 3};

// Where one run of one case connects, or is connected to.
export type Runner = (one: Case) => Promise<Outcome>;

export interface Row {
  id: string;
  what: string;
  direct: Outcome;
  proxied?: Outcome;
  worse: string; // why the proxied verdict counts against the proxy; "" = it does not
  again?: Again;
}

// What trying again showed.
export interface Again {
  tries: number; // of either
  differed: number; // tries behind the proxy that the peer alone never gave
  direct: Record<string, number>; // verdict and close → how often, the first run included
  proxied: Record<string, number>;
}

const worst = <T extends string>(ranks: Record<T, number>, seen: T[]): T =>
  seen.reduce((a, b) => (ranks[b] > ranks[a] ? b : a));

// What of `proxied` is worse than all the peer alone did; "" = nothing. The proxy enforces the rules itself, so behind
// it no case may fail because the peer always does; where the peer fails at random, it may do so behind the proxy as
// well.
export function difference(direct: Outcome[], proxied: Outcome): string {
  const problems: string[] = [];
  const verdict = worst(
    rank,
    direct.map((one) => one.verdict),
  );
  const excused = verdict !== 'FAILED' || direct.some((one) => one.verdict !== 'FAILED');
  if (rank[proxied.verdict] > rank[verdict] || (proxied.verdict === 'FAILED' && !excused))
    problems.push(`${proxied.verdict} behind the proxy, ${verdict} direct`);
  const close = worst(
    closeRank,
    direct.map((one) => one.close),
  );
  if (closeRank[proxied.close] > closeRank[close])
    problems.push(`close ${proxied.close} behind the proxy, ${close} direct`);
  return problems.join('; ');
}

export interface Bounds {
  tries: number; // of each, at most
  sure: number; // differences behind the proxy that end the trying: a peer at random would have shown it by itself
  least: number; // differences that count when all tries are over
  ms: number; // no further try after this long
}
const bounds: Bounds = {tries: 24, sure: 6, least: 2, ms: 30_000};

const tally = (outcomes: Outcome[]): Record<string, number> => {
  const table: Record<string, number> = {};
  for (const {verdict, close} of outcomes)
    table[`${verdict}, close ${close}`] = (table[`${verdict}, close ${close}`] ?? 0) + 1;
  return table;
};

export const judged = (one: Case, direct: Outcome, proxied: Outcome | undefined): Row => ({
  id: one.id,
  what: one.what,
  direct,
  proxied,
  worse: proxied ? difference([direct], proxied) : '',
});

// Tries a case that differs again, and judges it by all that was seen.
export async function triedAgain(
  one: Case,
  first: {direct: Outcome; proxied: Outcome},
  run: {direct: Runner; proxied: Runner},
  {tries, sure, least, ms}: Bounds = bounds,
): Promise<Row> {
  const direct = [first.direct];
  const proxied: Outcome[] = [];
  const differing = () => proxied.filter((outcome) => difference(direct, outcome)).length;
  const begun = Date.now();
  do {
    direct.push(await run.direct(one));
    if (!difference(direct, first.proxied) && !differing()) break;
    proxied.push(await run.proxied(one));
  } while (proxied.length < tries && differing() < sure && Date.now() - begun < ms);
  const differed = differing();
  const again = {tries: proxied.length, differed, direct: tally(direct), proxied: tally([first.proxied, ...proxied])};
  const counts = differed >= Math.min(least, Math.max(proxied.length, 1));
  const shown = proxied.find((outcome) => difference(direct, outcome)) ?? first.proxied;
  return {...judged(one, first.direct, shown), worse: counts ? difference(direct, shown) : '', again};
}
