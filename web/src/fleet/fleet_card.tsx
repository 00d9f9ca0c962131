import type {ReactNode} from 'react';
import type {Series, Stretch} from '../chart/series';
import {TimeChart} from '../chart/time_chart';
import {Link} from '../route/link';
import {useId} from 'react';

/** A number that matters now, and how it came to be. */
export function FleetCard({
  title,
  value,
  note,
  tone = '',
  href,
  loading,
  stale = '',
  series,
  ...chart
}: {
  title: string;
  value: ReactNode;
  note?: string;
  tone?: 'bad' | 'warn' | '';
  href?: string;
  loading: boolean;
  /** When the value was last known, where it is no longer of now. */
  stale?: string;
  times: number[];
  partial?: ReadonlySet<number>;
  gaps?: readonly Stretch[];
  series: Series[];
  from: number;
  to: number;
  format: (value: number) => string;
  kind?: 'line' | 'bars' | 'area';
  onSelect: (from: number, to: number) => void;
  onReset: () => void;
}) {
  const id = useId();
  return (
    <section className="card fleet-card" aria-labelledby={id}>
      <div className="fleet-head">
        <h2 id={id}>{href ? <Link href={href}>{title}</Link> : title}</h2>
        <div className={`fleet-value num ${tone}`}>
          {value}
          {stale ? <span className="unit warn"> {stale}</span> : note && <span className="unit"> {note}</span>}
        </div>
      </div>
      <TimeChart title={title} series={series} height={112} {...chart} />
      {loading && (
        <span className="unseen" role="status">
          Loading
        </span>
      )}
    </section>
  );
}
