// One operation over time: how often, how fast, and a heat map whose cells lead to what they count.
import {useMemo, type ComponentProps} from 'react';
import {parameters, useAsk} from '../api/fetch';
import type {Latency, LatencyRow, Percentiles} from '../api/types';
import {TimeChart} from '../chart/time_chart';
import {Card} from '../control/card';
import {Failed} from '../control/states';
import {Segmented} from '../control/segmented';
import {address, navigate, sharedQuery, useQueryState} from '../route/location';
import {Link} from '../route/link';
import {count, duration, percent, plural} from '../text/units';
import {stepFor, useRange} from '../time/range';
import {heatGrid} from './buckets';
import {HeatMap, type Cell} from './heat_map';
import type {Moment} from './moment';

type Measure = 'first_chunk' | 'last_chunk' | 'duration';
const MEASURES: {key: Measure; label: string}[] = [
  {key: 'first_chunk', label: 'First chunk'},
  {key: 'last_chunk', label: 'Last chunk'},
  {key: 'duration', label: 'Duration'},
];

export function OperationDetail({service, operation, moment}: {service: string; operation: string; moment: Moment}) {
  const [query, change] = useQueryState();
  const {setFixed, setLast} = useRange();
  const {from, to} = moment;
  const asked = query.get('measure');
  const measure: Measure = asked === 'first_chunk' || asked === 'last_chunk' ? asked : 'duration';
  const its = useOperation(service, operation, moment, measure);
  const {answer, whole, all, lines, grid, step_ms, streams} = its;
  const shared = {
    times: lines.times,
    partial: lines.partial,
    from,
    to,
    onSelect: setFixed,
    onReset: () => setLast('1h'),
    height: 112,
  };
  function open(cell: Cell): void {
    navigate(
      address('/traces', {
        view: 'spans',
        service,
        operation,
        from: Math.round(cell.from),
        to: Math.round(cell.to),
        measure: measure === 'duration' ? null : measure,
        low: String(cell.low),
        high: String(cell.high),
      }),
    );
  }
  const name = MEASURES.find((one) => one.key === measure)!.label;
  const failed = answer.error ?? whole.error;
  if (failed && !answer.data)
    return (
      <Failed
        error={failed}
        retry={() => {
          void answer.refetch();
          void whole.refetch();
        }}
      />
    );
  const spansOf = (more: Record<string, string>) =>
    address('/traces', {...sharedQuery(query), view: 'spans', service, operation, ...more});
  return (
    <section className="stack operation" aria-label={`${operation} of ${service}`}>
      <div className="row wrap operation-head">
        <h2 className="operation-title break">
          {operation} <span className="faint">{service}</span>
        </h2>
        {all && (
          <span className="soft num">
            {plural(all.count, 'span')}, {plural(all.errors, 'error')} ({percent(all.errors, all.count)})
            {all.cancelled > 0 && <>, {count(all.cancelled)} cancelled</>}
          </span>
        )}
        <Link href={spansOf({})}>List its spans</Link>
        <Link href={spansOf({sort: 'duration'})}>the slowest first</Link>
      </div>
      <Charts lines={lines} shared={shared} streams={streams || answer.isPending} />
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

function useOperation(service: string, operation: string, {from, to}: Moment, measure: Measure) {
  const range = {from_ms: Math.round(from), to_ms: Math.round(to), service, operation};
  const wanted = stepFor(from, to, 60);
  const whole = useAsk<Latency>(['latency whole', range], () => `/latency${parameters(range)}`);
  const answer = useAsk<Latency>(
    ['latency steps', range, measure],
    () => `/latency${parameters({...range, step_seconds: wanted, histogram: measure})}`,
  );
  const step_ms = (answer.data?.step_seconds || wanted) * 1000;
  const rows = useMemo(
    () => (answer.data?.rows ?? []).filter((row) => row.operation === operation && row.service === service),
    [answer.data, operation, service],
  );
  const all = whole.data?.rows.find((row) => row.operation === operation && row.service === service);
  const lines = useMemo(() => linesOf(rows, all, from, to, step_ms), [rows, all, from, to, step_ms]);
  const grid = useMemo(() => heatGrid(rows, step_ms, from, to), [rows, step_ms, from, to]);
  const streams = rows.some((row) => row.first_chunk.count > 0);
  return {answer, whole, all, lines, grid, step_ms, streams};
}

function Charts({
  lines,
  shared,
  streams,
}: {
  lines: ReturnType<typeof linesOf>;
  shared: Pick<
    ComponentProps<typeof TimeChart>,
    'times' | 'partial' | 'from' | 'to' | 'onSelect' | 'onReset' | 'height'
  >;
  streams: boolean;
}) {
  return (
    <div className="operation-charts">
      <Card level={3} title="Spans">
        <TimeChart title="Spans" kind="bars" series={lines.calls} format={count} {...shared} />
      </Card>
      <Card level={3} title="Time to first chunk">
        {streams ? (
          <TimeChart title="Time to first chunk" series={lines.first} format={duration} {...shared} />
        ) : (
          <p className="none faint">It streams nothing.</p>
        )}
      </Card>
      <Card level={3} title="Time to last chunk">
        {streams ? (
          <TimeChart title="Time to last chunk" series={lines.last} format={duration} {...shared} />
        ) : (
          <p className="none faint">It streams nothing.</p>
        )}
      </Card>
      <Card level={3} title="Duration">
        <TimeChart title="Duration" series={lines.duration} format={duration} {...shared} />
      </Card>
    </div>
  );
}

function linesOf(rows: readonly LatencyRow[], all: LatencyRow | undefined, from: number, to: number, step_ms: number) {
  const first = Math.floor(from / step_ms) * step_ms,
    length = Math.max(1, Math.min(2000, Math.ceil((to - first) / step_ms)));
  const place = (row: LatencyRow) => Math.floor((row.time_ms - first) / step_ms);
  const at = new Map<number, LatencyRow>(rows.map((row) => [place(row), row]));
  const pick = (of: (row: LatencyRow) => number | null) =>
    Array.from({length}, (_, i) => {
      const row = at.get(i);
      return row ? of(row) : null;
    });
  const line = (label: string, color: string, of: (row: LatencyRow) => number | null) => ({
    label,
    color,
    values: pick(of),
    whole: all ? of(all) : null,
  });
  const three = (of: (row: LatencyRow) => Percentiles) => [
    line('p50', '--series-2', (row) => of(row).p50_seconds),
    line('p95', '--series-1', (row) => of(row).p95_seconds),
    line('p99', '--series-3', (row) => of(row).p99_seconds),
    line('max', '--series-0', (row) => of(row).max_seconds),
  ];
  const times = Array.from({length}, (_, i) => first + i * step_ms);
  return {
    times,
    partial: new Set(rows.filter((row) => row.partial).map(place)),
    first: three((row) => row.first_chunk),
    last: three((row) => row.last_chunk),
    duration: three((row) => row.duration),
    calls: [
      line('fine', '--series-0', (row) => row.count - row.errors - row.cancelled),
      line('cancelled', '--warn-mark', (row) => row.cancelled),
      line('errors', '--bad-mark', (row) => row.errors),
    ],
  };
}
