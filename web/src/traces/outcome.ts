// How a call went is its outcome (websocket.invocation.status); a span's status is OTLP's, which leaves it unset where
// nobody said otherwise: two things, and two words for them.
import type {Span} from '../api/types';

export const OUTCOME = 'websocket.invocation.status';
export const OUTCOMES = ['ok', 'error', 'cancelled', 'incomplete'];

/** null: it is no call. */
export function outcomeOf(span: Pick<Span, 'attributes'>): string | null {
  const value = span.attributes.find((one) => one.key === OUTCOME)?.value;
  return typeof value === 'string' ? value : null;
}

export const failed = (outcome: string | null): boolean => outcome === 'error' || outcome === 'incomplete';

export const outcomeTone = (outcome: string): string =>
  failed(outcome) ? 'bad' : outcome === 'cancelled' ? 'warn' : outcome === 'open' ? 'good' : 'soft';

/** The outcome that attributes ask for, as the conditions of a search have them; '' for any. */
export function askedOutcome(attributes: readonly string[]): string {
  return attributes.find((one) => one.startsWith(`${OUTCOME}:`))?.slice(OUTCOME.length + 1) ?? '';
}
export const withOutcome = (attributes: readonly string[], outcome: string): string[] => [
  ...attributes.filter((one) => !one.startsWith(`${OUTCOME}:`)),
  ...(outcome ? [`${OUTCOME}:${outcome}`] : []),
];
