import type {Session, TraceSummary} from '../api/types';
import {Card} from '../control/card';
import {Empty, Loading} from '../control/states';
import {Link} from '../route/link';
import {address} from '../route/location';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {count, duration} from '../text/units';
import {Stamp} from '../time/stamp';

const href = (row: TraceSummary) => `/traces/${encodeURIComponent(row.trace_id)}`;
const columns: Column<TraceSummary>[] = [
  {
    key: 'name',
    title: 'Trace',
    width: 140,
    grow: 2,
    keep: 9,
    cell: (row) => (
      <Link tabIndex={-1} href={href(row)} title={row.trace_id}>
        {row.root_operation || '(no name)'}
      </Link>
    ),
  },
  {key: 'service', title: 'Service', width: 90, grow: 1, keep: 3, cell: (row) => row.root_service},
  {key: 'start', title: 'Began', width: 112, end: true, keep: 5, cell: (row) => <Stamp ms={row.start_ms} />},
  {
    key: 'duration',
    title: 'Duration',
    width: 78,
    end: true,
    keep: 8,
    cell: (row) => <span className="num">{duration(row.duration_seconds)}</span>,
  },
  {
    key: 'errors',
    title: 'Errors',
    width: 54,
    end: true,
    keep: 6,
    cell: (row) => <span className={row.errors ? 'bad num' : 'faint num'}>{count(row.errors)}</span>,
  },
];

export function SessionTraces({
  traces,
  session,
  waiting,
}: {
  traces: readonly TraceSummary[];
  session: Session;
  waiting: boolean;
}) {
  return (
    <Card
      title="Traces"
      tools={<Link href={address('/traces', {view: 'traces', session: session.id, range: '7d'})}>search them</Link>}
    >
      <Table
        label="Traces of this session"
        columns={columns}
        rows={traces}
        total={traces.length}
        rowKey={(row) => row.trace_id}
        href={href}
        fold={10}
        tone={(row) => (row.errors ? 'bad' : '')}
        empty={
          waiting ? (
            <Loading />
          ) : (
            <Empty title="No trace of this session is stored">
              <p>It was not sampled, or nothing has ended in it yet.</p>
            </Empty>
          )
        }
      />
    </Card>
  );
}
