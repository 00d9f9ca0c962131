// The foot of a list: how much of how much is shown, and the way to the rest. Nothing is cut in silence.
import type {ReactNode} from 'react';
import {Button} from 'react-aria-components';
import {count} from '../text/units';

export function Cut({
  shown,
  total,
  one,
  many = `${one}s`,
  more,
  loading,
  load,
  complete,
  children,
}: {
  shown: number;
  /** null: not counted. */
  total: number | null | undefined;
  one: string;
  many?: string;
  more: boolean;
  loading: boolean;
  load: () => void;
  complete: boolean;
  children?: ReactNode;
}) {
  return (
    <div className="table-foot num">
      <span role="status">{cutText(shown, total, one, many, more)}</span>
      {more && (
        <Button className="button small" isDisabled={loading} onPress={load}>
          {loading ? 'Loading …' : 'Load more'}
        </Button>
      )}
      {!complete && (
        <span className="warn">
          The search ran into its time limit: there may be more{more ? ', and “Load more” goes on with it' : ''}.
        </span>
      )}
      {children}
    </div>
  );
}

/** "50 of 12,345 calls", "12 calls", "the first 50 calls" when nobody counted. */
export function cutText(
  shown: number,
  total: number | null | undefined,
  one: string,
  many: string,
  more: boolean,
): string {
  const name = (value: number) => (value === 1 ? one : many);
  if (total !== null && total !== undefined && total > shown)
    return `${exact(shown)} of ${exact(total)} ${name(total)}`;
  if (more) return `The first ${exact(shown)} ${name(shown)}; there are more`;
  return `${exact(shown)} ${name(shown)}`;
}
const exact = (value: number) => (value < 10_000_000 ? value.toLocaleString('en-US') : count(value));
