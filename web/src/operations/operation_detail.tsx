import {useMemo} from 'react';
import {parameters, useAsk} from '../api/fetch';
import type {Latency, LatencyRow, Percentiles} from '../api/types';
import {TimeChart} from '../chart/time_chart';
import {Card} from '../control/card';
import {Failed} from '../control/states';
import {Segmented} from '../control/segmented';
import {address, navigate, sharedQuery, useQueryState} from '../route/location';
import {Link} from '../route/link';
import {count, duration} from '../text/units';
import {bounds, stepFor, useBounds, useRange} from '../time/range';
import {heatGrid} from './buckets';
import {HeatMap, type Cell} from './heat_map';

type Measure = 'first_chunk' | 'last_chunk' | 'duration';
const MEASURES: {key: Measure; label: string}[] = [
  {key: 'first_chunk', label: 'First chunk'},
  {key: 'last_chunk', label: 'Last chunk'},
  {key: 'duration', label: 'Duration'},
];

export function OperationDetail({service, operation}: {service: string; operation: string}) {
  const [query, change] = useQueryState();
  const {range, key, live, setFixed, setLast} = useRange();
  const asked = query.get('measure');
  const measure: Measure = asked === 'first_chunk' || asked === 'last_chunk' ? asked : 'duration';
  const answer = useAsk<Latency>(
    ['latency', key, service, operation, measure],
    () => {
      const {from, to} = bounds(range);
      const span = {from_ms: Math.round(from), to_ms: Math.round(to), step_seconds: stepFor(from, to, 60)};
      return `/latency${parameters({...span, service, operation, histogram: measure})}`;
    },
    {refreshMs: live ? 15_000 : false},
  );
  const {from, to} = useBounds(range, answer.dataUpdatedAt);
  const step = answer.data?.step_seconds || stepFor(from, to, 60),
    step_ms = step * 1000;
  const rows = useMemo(
    () => (answer.data?.rows ?? []).filter((row) => row.operation === operation && row.service === service),
    [answer.data, operation, service],
  );
  const lines = useMemo(() => {
    const first = Math.floor(from / step_ms) * step_ms,
      length = Math.max(1, Math.min(2000, Math.ceil((to - first) / step_ms))),
      at = new Map<number, LatencyRow>(rows.map((row) => [Math.floor((row.time_ms - first) / step_ms), row]));
    const pick = (of: (row: LatencyRow) => number | null) =>
      Array.from({length}, (_, i) => {
        const row = at.get(i);
        return row ? of(row) : null;
      });
    const three = (of: (row: LatencyRow) => Percentiles) => [
      {label: 'p50', color: '--series-2', values: pick((row) => of(row).p50_seconds)},
      {label: 'p95', color: '--series-1', values: pick((row) => of(row).p95_seconds)},
      {label: 'p99', color: '--series-3', values: pick((row) => of(row).p99_seconds)},
    ];
    return {
      times: Array.from({length}, (_, i) => first + i * step_ms),
      first: three((row) => row.first_chunk),
      last: three((row) => row.last_chunk),
      duration: three((row) => row.duration),
      calls: [
        {label: 'fine', color: '--series-0', values: pick((row) => row.count - row.errors - row.cancelled)},
        {label: 'cancelled', color: '--warn-mark', values: pick((row) => row.cancelled)},
        {label: 'errors', color: '--bad-mark', values: pick((row) => row.errors)},
      ],
    };
  }, [rows, from, to, step_ms]);
  const grid = useMemo(() => heatGrid(rows, step_ms, from, to), [rows, step_ms, from, to]);
  const streams = rows.some((row) => row.first_chunk.count > 0);
  const shared = {times: lines.times, from, to, onSelect: setFixed, onReset: () => setLast('1h'), height: 112};
  const ms = (seconds: number) => `${Number((seconds * 1000).toPrecision(6))}ms`;
  function open(cell: Cell): void {
    // A trace is searched by duration; for the chunks' measures that is the least it can have taken.
    navigate(
      address('/traces', {
        service,
        operation,
        from: Math.round(cell.from),
        to: Math.round(cell.to),
        min: ms(cell.low),
        max: measure === 'duration' ? ms(cell.high) : null,
      }),
    );
  }
  const name = MEASURES.find((one) => one.key === measure)!.label;
  if (answer.error && !answer.data) return <Failed error={answer.error} retry={() => void answer.refetch()} />;
  return (
    <section className="stack operation" aria-label={`${operation} of ${service}`}>
      <div className="row wrap">
        <h2 className="operation-title break">
          {operation} <span className="faint">{service}</span>
        </h2>
        <Link href={address('/traces', {...sharedQuery(query), service, operation})}>its traces</Link>
      </div>
      <div className="operation-charts">
        <Card level={3} title="Calls">
          <TimeChart title="Calls" kind="bars" series={lines.calls} format={count} {...shared} />
        </Card>
        <Card level={3} title="Time to first chunk">
          {streams || answer.isPending ? (
            <TimeChart
              title="Time to first chunk"
              series={lines.first}
              format={(value) => duration(value)}
              {...shared}
            />
          ) : (
            <p className="none faint">It streams nothing.</p>
          )}
        </Card>
        <Card level={3} title="Time to last chunk">
          {streams || answer.isPending ? (
            <TimeChart title="Time to last chunk" series={lines.last} format={(value) => duration(value)} {...shared} />
          ) : (
            <p className="none faint">It streams nothing.</p>
          )}
        </Card>
        <Card level={3} title="Duration">
          <TimeChart title="Duration" series={lines.duration} format={(value) => duration(value)} {...shared} />
        </Card>
      </div>
      <Card
        level={3}
        title="Heat map"
        tools={
          <Segmented
            label="Of what"
            value={measure}
            options={MEASURES}
            onChange={(next) => change({measure: next === 'duration' ? null : next}, {replace: true})}
          />
        }
      >
        <HeatMap grid={grid} step_ms={step_ms} title={`${name} of ${operation} over time`} onOpen={open} />
      </Card>
    </section>
  );
}
