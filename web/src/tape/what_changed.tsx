// What changed between two moments: what the deaths have in common, and the figures before and after, each leading to
// its sessions.
import {useMemo} from 'react';
import {Button} from 'react-aria-components';
import {parameters, useAsk} from '../api/fetch';
import type {Changes, Cohort} from '../api/types';
import {Choice} from '../control/choice';
import {Failed, Loading} from '../control/states';
import {Link} from '../route/link';
import {useQueryState} from '../route/location';
import {count, duration, plural} from '../text/units';
import {time} from '../time/format';
import {AGAINST, againstText, changeText, cohortText, figureName, figureText} from './words';
import {type Names, sessionsHref, unseenText, windows} from './words';

export function WhatChanged({
  marks,
  onMark,
  incidents,
  names,
}: {
  marks: readonly number[];
  onMark: (marks: readonly number[]) => void;
  incidents: string;
  names: Names;
}) {
  const [query, change] = useQueryState();
  const against = query.get('against') ?? 'before';
  const [a, b] = marks;
  return (
    <section className="card what-changed" aria-label="What changed">
      <header>
        <h2>What changed</h2>
        {a === undefined || b === undefined ? (
          <>
            <span className="soft">
              {a === undefined
                ? 'Drag over the chart, or mark two entries below: the time between is compared with that before.'
                : `Marked ${time(a)}. Mark a second moment.`}
            </span>
            <Link href={incidents}>Incidents of this time range</Link>
          </>
        ) : (
          <>
            <Moment label="From" value={a} onChange={(next) => onMark([next, b])} />
            <Moment label="to" value={b} onChange={(next) => onMark([a, next])} />
            <span className="soft">compared with</span>
            <Choice
              label="Compared with"
              hideLabel
              value={against}
              any={null}
              options={AGAINST}
              onChange={(next) => change({against: next === 'before' ? null : next}, {replace: true})}
            />
          </>
        )}
        {marks.length > 0 && (
          <Button className="button quiet small" onPress={() => onMark([])}>
            Clear
          </Button>
        )}
      </header>
      {a !== undefined && b !== undefined && b > a && <Answer a={a} b={b} against={against} names={names} />}
    </section>
  );
}

function Moment({label, value, onChange}: {label: string; value: number; onChange: (value: number) => void}) {
  const zone = new Date(value).getTimezoneOffset() * 60_000;
  return (
    <label className="row moment">
      <span className="soft">{label}</span>
      <input
        className="input"
        type="datetime-local"
        step="1"
        value={new Date(value - zone).toISOString().slice(0, 19)}
        onChange={(event) => {
          const read = Date.parse(event.target.value);
          if (Number.isFinite(read)) onChange(read);
        }}
      />
    </label>
  );
}

/** As many as the console asks of a cohort. */
const FEW = 3;

function Answer({a, b, against, names}: {a: number; b: number; against: string; names: Names}) {
  const {from, to, againstFrom, againstTo} = useMemo(() => windows(a, b, against), [a, b, against]);
  const answer = useAsk<Changes>(
    ['changes', from, to, againstFrom, againstTo],
    () => `/changes${parameters({from_ms: from, to_ms: to, against_from_ms: againstFrom, against_to_ms: againstTo})}`,
  );
  const changes = answer.data;
  if (!changes)
    return answer.error ? (
      <Failed error={answer.error} retry={() => void answer.refetch()} />
    ) : (
      <Loading label="Comparing" />
    );
  const unseen = unseenText(changes.missing_seconds, (to - from) / 1000);
  const figures = changes.figures.filter((one) => one.before !== null || one.after !== null);
  return (
    <div className="body changes">
      <div className="changes-deaths">
        <p className="changes-sum" role="status">
          <span className={changes.deaths ? 'bad strong' : 'strong'}>
            {changes.deaths
              ? `${plural(changes.deaths, 'session')} died`
              : unseen
                ? 'No session is known to have died'
                : 'No session died'}
          </span>{' '}
          in the {duration((to - from) / 1000)} from {time(from)}
          <span className="warn">{unseen}</span>; {count(changes.against_deaths)} in the{' '}
          {duration((againstTo - againstFrom) / 1000)} from {time(againstFrom)}
          <span className="warn">{unseenText(changes.against_missing_seconds, (againstTo - againstFrom) / 1000)}</span>.
        </p>
        {changes.cohorts.length > 0 ? (
          <ol className="cohorts">
            {changes.cohorts.map((cohort, i) => (
              <CohortLine key={i} cohort={cohort} names={names} />
            ))}
          </ol>
        ) : (
          changes.deaths > 0 && (
            <p className="soft">
              {changes.deaths < FEW
                ? 'Too few to tell what they have in common.'
                : 'They have nothing in common that sets them apart.'}
            </p>
          )
        )}
        {changes.few && changes.cohorts.length > 0 && (
          <p className="soft">They are few: what they share may be chance.</p>
        )}
        {!changes.complete && (
          <p className="warn">The comparison ran into its time limit: choose moments nearer to each other.</p>
        )}
      </div>
      {figures.length > 0 && (
        <table className="changes-figures">
          <caption className="unseen">Figures before and after</caption>
          <thead>
            <tr>
              <th scope="col">Figure</th>
              <th scope="col">Before</th>
              <th scope="col">Between</th>
              <th scope="col">Change</th>
            </tr>
          </thead>
          <tbody>
            {figures.map((one) => (
              <tr key={one.name}>
                <th scope="row">{figureName(one.name)}</th>
                <td className="num">{figureText(one.name, one.before)}</td>
                <td className="num strong">{figureText(one.name, one.after)}</td>
                <td className="num soft">{changeText(one.before, one.after)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

function CohortLine({cohort, names}: {cohort: Cohort; names: Names}) {
  const href = sessionsHref(cohort.query),
    words = cohortText(cohort, names);
  return (
    <li>
      <i
        className="cohort-share"
        style={{width: `${(56 * cohort.count) / Math.max(1, cohort.of)}px`}}
        title={`${count(cohort.count)} of ${count(cohort.of)}`}
      />
      {href ? <Link href={href}>{words}</Link> : <span>{words}</span>}{' '}
      <span className="faint">{againstText(cohort)}</span>
    </li>
  );
}
