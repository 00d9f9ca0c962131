// Calls by the ten thousand, of thousands of operations, over ranges that end in the middle: every number of /api/v1
// and of Jaeger's API is what was sent.
import {before, describe} from 'node:test';
import {type Bulk, calls, deliver} from './bulk.js';
import {console_} from './console.js';
import {jaegerTells} from './truth_jaeger.js';
import {operationsTell} from './truth_operations.js';
import {spansTell} from './truth_spans.js';
import {tracesTell} from './truth_traces.js';

const minute = 60_000;
describe('many traces of thousands of operations', () => {
  const bulk = {} as Bulk;
  before(async () => {
    const count = process.env.SOCKEYE_E2E_FULL ? 200_000 : 20_000;
    // From half past: a whole hour is among it, and parts of an hour on both sides.
    const from = Math.floor(Date.now() / (60 * minute)) * 60 * minute - 150 * minute + 17_345;
    bulk.names = 5000;
    bulk.spans = calls(count, bulk.names, from, 100 * minute);
    bulk.ranges = {
      whole: {from: from - minute, to: from + 101 * minute},
      hours: {from: from + 3.3 * minute + 777, to: from + 97 * minute + 5432},
      // From 12 minutes and a half after the first, to a third of a minute after half of it.
      middle: {from: from + 12.5 * minute + 1234, to: from + 50 * minute + 20_500},
    };
    bulk.console = await console_();
    await deliver(bulk.console, bulk.spans);
  });
  tracesTell(bulk);
  spansTell(bulk);
  operationsTell(bulk);
  jaegerTells(bulk);
});
