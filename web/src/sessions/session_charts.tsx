import {useMemo} from 'react';
import type {Session, SessionPoints} from '../api/types';
import {Card} from '../control/card';
import {TimeChart} from '../chart/time_chart';
import {bytes, duration, rate} from '../text/units';
import type {TimelineModel} from './timeline_model';

export function SessionCharts({
  points,
  session,
  model,
  waiting,
  onView,
}: {
  points: SessionPoints['points'];
  session: Session;
  model: TimelineModel;
  waiting: boolean;
  onView: (from: number, to: number) => void;
}) {
  const lines = useMemo(() => {
    const pick = <K extends 'rtt_seconds' | 'buffered_bytes' | 'messages_per_second' | 'bytes_per_second'>(
      key: K,
      leg: 0 | 1,
    ) => points.map((one) => one[key][leg]);
    const two = (key: 'rtt_seconds' | 'buffered_bytes' | 'messages_per_second' | 'bytes_per_second') => [
      {label: 'client', color: '--client', values: pick(key, 0)},
      {label: 'server', color: '--server', values: pick(key, 1)},
    ];
    return {
      times: points.map((one) => one.time_ms),
      rtt: two('rtt_seconds'),
      buffered: two('buffered_bytes'),
      messages: two('messages_per_second'),
      bytes: two('bytes_per_second'),
    };
  }, [points]);
  const marks = useMemo(() => {
    const list = [...model.lost].map((index) => ({time_ms: model.messages[index]!.time_ms, color: '--bad-mark'}));
    if (session.ended_ms !== null) list.push({time_ms: session.ended_ms, color: '--line-strong'});
    return list;
  }, [model, session.ended_ms]);
  const shared = {times: lines.times, from: model.from, to: model.to, onSelect: onView, marks, height: 104};
  const note = waiting ? '' : points.length ? '' : <span className="faint">nothing was recorded</span>;
  return (
    <div className="session-charts">
      <Card title="Ping round trip" tools={note}>
        <TimeChart title="Ping round trip" series={lines.rtt} format={(value) => duration(value)} {...shared} />
      </Card>
      <Card title="Buffered" tools={note}>
        <TimeChart title="Buffered bytes, waiting to be read" series={lines.buffered} format={bytes} {...shared} />
      </Card>
      <Card title="Message rate" tools={note}>
        <TimeChart title="Messages per second" series={lines.messages} format={(value) => rate(value)} {...shared} />
      </Card>
      <Card title="Byte rate" tools={note}>
        <TimeChart title="Bytes per second" series={lines.bytes} format={(value) => rate(value, 'B')} {...shared} />
      </Card>
    </div>
  );
}
