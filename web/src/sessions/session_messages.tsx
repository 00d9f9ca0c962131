// The timeline in words: every kept message header, latest first, with the pause since its sender's one before.
import {useMemo} from 'react';
import {Card} from '../control/card';
import {Empty} from '../control/states';
import type {Column} from '../table/columns';
import {Table} from '../table/table';
import {bytes, count, duration} from '../text/units';
import {preciseTime, utc} from '../time/format';
import type {TimelineModel} from './timeline_model';
import {legOf} from './words';

export function SessionMessages({
  model,
  chosen,
  onChoose,
}: {
  model: TimelineModel;
  chosen: number | null;
  onChoose: (index: number) => void;
}) {
  const {messages} = model;
  const columns = useMemo(() => columnsOf(model), [model]);
  return (
    <Card title="Message list" tools={<span className="faint num">{count(messages.length)} kept, headers only</span>}>
      <Table
        label="Messages of this session, latest first"
        columns={columns}
        rows={(i) => messages.length - 1 - i}
        total={messages.length}
        rowKey={String}
        onOpen={onChoose}
        selected={chosen === null ? null : String(chosen)}
        fold={10}
        empty={<Empty title="No messages were kept" />}
      />
    </Card>
  );
}

/** Seconds since the one before of the same sender; null: none was. */
function pausesOf(messages: TimelineModel['messages']): (number | null)[] {
  // By sender: what the proxy says itself ends no pause of the peer that it says it for.
  const last = [NaN, NaN, NaN, NaN];
  return messages.map((one) => {
    const sender = one.side + (one.injected ? 2 : 0),
      pause = one.time_ms - last[sender]!;
    last[sender] = one.time_ms;
    return Number.isNaN(pause) ? null : pause / 1000;
  });
}

function columnsOf({messages, lost}: TimelineModel): Column<number>[] {
  const pauses = pausesOf(messages);
  return [
    {
      key: 'time',
      title: 'Time',
      width: 96,
      keep: 9,
      cell: (i) => (
        <span className="num" title={utc(messages[i]!.time_ms)}>
          {preciseTime(messages[i]!.time_ms).slice(-12)}
        </span>
      ),
    },
    {
      key: 'side',
      title: 'From',
      width: 60,
      keep: 8,
      cell: (i) => (
        <span className={messages[i]!.injected ? 'soft' : messages[i]!.side === 0 ? 'client' : 'server'}>
          {messages[i]!.injected ? 'proxy' : messages[i]!.side === 0 ? 'client' : 'server'}
        </span>
      ),
    },
    {
      key: 'type',
      title: 'Message',
      width: 80,
      grow: 1.4,
      keep: 7,
      cell: (i) => (
        <span className={messages[i]!.type === 'close' || lost.has(i) ? 'bad' : ''}>
          {messages[i]!.type}
          {messages[i]!.injected && ` to the ${legOf(messages[i]!) === 0 ? 'client' : 'server'}`}
          {lost.has(i) && ', never answered'}
        </span>
      ),
    },
    {
      key: 'length',
      title: 'Length',
      width: 70,
      end: true,
      keep: 6,
      cell: (i) => <span className="num">{bytes(messages[i]!.length)}</span>,
    },
    {
      key: 'pause',
      title: 'Pause',
      width: 70,
      end: true,
      keep: 6,
      hint: 'since the one before of the same sender',
      cell: (i) => <span className={`num ${(pauses[i] ?? 0) > 3 ? 'warn' : 'faint'}`}>{duration(pauses[i])}</span>,
    },
  ];
}
