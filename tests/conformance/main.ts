// tests/conformance/run [--all] [--case GLOB]... [--peer ws|python|beast]... [--direction client|server|proxy]...
// [--direct]
//
// Every case against every peer, in both directions, direct and through the proxy; then the cases only a proxy can
// fail. Ends with a line of counts; exit status 1 when the proxied verdict of any case is worse than the direct one.
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {repository} from '../lib/process.js';
import {allCases, defaultCases, matches} from './cases/all.js';
import {type PeerName, peerNames} from './peers.js';
import {runProxyCases} from './proxy_cases.js';
import {table, writeReport} from './report.js';
import {type Direction, runSuite, throughProxy} from './suite.js';

const usage =
  'conformance [--all] [--case GLOB]... [--peer ws|python|beast]... [--direction client|server|proxy]... [--direct]';
const {values} = parseArgs({
  options: {
    all: {type: 'boolean', default: false},
    case: {type: 'string', multiple: true},
    peer: {type: 'string', multiple: true},
    direction: {type: 'string', multiple: true},
    direct: {type: 'boolean', default: false}, // no proxy at all: checks the fuzzer and the peers themselves
    help: {type: 'boolean', default: false},
  },
});
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const peers = (values.peer ?? peerNames) as PeerName[];
const directions = (values.direction ?? ['client', 'server', 'proxy']) as (Direction | 'proxy')[];
if (
  peers.some((peer) => !peerNames.includes(peer)) ||
  directions.some((one) => !['client', 'server', 'proxy'].includes(one))
) {
  console.error(usage);
  process.exit(2);
}

const globs = values.case;
const wanted = (id: string) => !globs || globs.some((glob) => matches(id, glob));
const everything = allCases();
const casesOf = (peer: PeerName) =>
  (values.all || globs ? everything : defaultCases(everything, peer === peerNames[0] ? 'most' : 'least')).filter(
    (one) => wanted(one.id),
  );
const folder = join(repository, 'build/conformance');
const begun = Date.now();
let passed = 0,
  failed = 0,
  recorded = 0;
const summary: string[] = [];
const say = (text: string) => {
  summary.push(text);
  console.log(text);
};

// On a terminal one line that changes; elsewhere one a minute, so that a long run is seen to go on.
let printed = Date.now();
const status = (line: string) => {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${line}`);
  else if (line && Date.now() - printed > 60_000) {
    printed = Date.now();
    console.log(line);
  }
};

for (const direction of directions) {
  if (direction === 'proxy') continue;
  for (const peer of peers) {
    const cases = casesOf(peer);
    if (!cases.length) continue;
    const title =
      direction === 'client'
        ? `fuzzing client → proxy → ${peer} echo server`
        : `${peer} echo client → proxy → fuzzing server`;
    const started = Date.now();
    const rows = await runSuite(direction, peer, cases, values.direct ? undefined : throughProxy, (done, of) =>
      status(`${title}: ${done}/${of}`),
    );
    status('');
    writeReport(join(folder, `${direction}-${peer}.json`), title, rows);
    say(table(`${title}   (${((Date.now() - started) / 1000).toFixed(1)} s)`, rows));
    const bad = rows.filter((row) => row.worse).length;
    failed += bad;
    passed += rows.length - bad;
    recorded += rows.length;
  }
}
if (directions.includes('proxy') && !values.direct) {
  const results = await runProxyCases(wanted, (done, of) => status(`proxy cases: ${done}/${of}`));
  status('');
  for (const one of results) if (one.error) say(`  FAILED ${one.id} ${one.what}\n          ${one.error}`);
  const bad = results.filter((one) => one.error).length;
  say(`cases only a proxy can fail: ${results.length - bad} of ${results.length} good`);
  writeReport(join(folder, 'proxy.json'), 'cases only a proxy can fail', results as never);
  failed += bad;
  passed += results.length - bad;
  recorded += results.length;
}
say(`recorded ${recorded} in build/conformance, ${((Date.now() - begun) / 1000).toFixed(0)} s`);
say(`conformance: ${passed} passed, ${failed} failed`);
mkdirSync(folder, {recursive: true});
writeFileSync(join(folder, 'summary.txt'), `${summary.join('\n')}\n`);
process.exit(failed || !recorded ? 1 : 0);
