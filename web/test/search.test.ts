import assert from 'node:assert/strict';
import {it} from 'node:test';
import {chosenLead, hrefOf, leadsOf, rangeFor, restOf} from '../src/search/leads';
import {callRecords} from './call_data';
import {world} from './fleet_data';
import {search} from './happened_data';

it('finds things by any of their names and leads to their pages', () => {
  const w = world(false),
    range = {from: w.started - 3_600_000, to: w.started},
    here = new URLSearchParams('range=1h');
  const one = w.vanished;
  for (const text of [one.id, one.id.slice(-8)]) {
    const leads = leadsOf(search(w, text).groups, here, range);
    assert.equal(chosenLead(leads, 0)?.href, `/sessions/${one.id}`, text);
  }
  const call = callRecords(w)[0]!;
  assert.equal(
    leadsOf(search(w, `00-${call.trace_id}-00f067aa0ba902b7-01`).groups, here, range)[0]!.href,
    `/traces/${call.trace_id}`,
  );
  const found = search(w, 'tool_').groups.find((group) => group.kind === 'operation')!;
  assert.equal(restOf(found), '6 of 1,200');
  assert.equal(restOf({...found, total: null}), 'the first 6; type more to narrow it down');
  assert.equal(restOf({...found, total: 6, more: false}), '');
  const item = {
    id: '10.2.0.0/16',
    label: '10.2.0.0/16',
    detail: '',
    time_ms: null,
    count: 3,
    query: {client: '10.2.0.0/16'},
  };
  assert.equal(hrefOf('network', item, {range: '1h'}), '/sessions?range=1h&state=any&client=10.2.0.0%2F16');
  assert.equal(
    hrefOf('operation', {...item, query: {service: 'mcp', operation: 'tools/call'}}, {}),
    '/operations?service=mcp&operation=tools%2Fcall',
  );
  assert.equal(
    hrefOf('close_reason', {...item, query: {end_reason: 'reset'}}, {}),
    '/sessions?state=ended&end_reason=reset',
  );
  assert.equal(hrefOf('trace', {...item, trace_id: 'ab', span_id: 'cd'}, {}), '/traces/ab?span=cd');
  assert.equal(chosenLead([], 0), undefined);
});

it('opens lists over a time in which the thing was seen', () => {
  const range = {from: 1_000_000, to: 2_000_000},
    here = new URLSearchParams('range=1h');
  assert.equal(rangeFor(here, range, 1_500_000)['range'], '1h');
  assert.deepEqual(rangeFor(here, range, 900_000_000), {from: 856_800_000, to: 943_200_000});
});
