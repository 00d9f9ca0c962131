// The conformance suite itself: a peer that is at random costs no verdict, and a proxy that is wrong, always or now and
// then, is found.
import assert from 'node:assert/strict';
import {connect, createServer, type Socket} from 'node:net';
import {once} from 'node:events';
import {describe, it} from 'node:test';
import {allCases} from '../conformance/cases/all.js';
import type {CloseVerdict, Verdict} from '../conformance/cases/case.js';
import type {Outcome} from '../conformance/fuzzer.js';
import {table} from '../conformance/report.js';
import {type Between, runSuite} from '../conformance/suite.js';
import {difference, type Row, triedAgain} from '../conformance/verdict.js';

const outcome = (verdict: Verdict, close: CloseVerdict = 'OK'): Outcome => ({
  id: '7.1.1',
  verdict,
  close,
  code: 1000,
  tcp: 'peer',
  seen: '',
  detail: '',
  ms: 0,
});
const good = outcome('OK'),
  lax = outcome('NON-STRICT'),
  failed = outcome('FAILED');
const any = allCases().find((one) => one.id === '7.1.1')!;
// Gives `outcomes` one after the other, the last one for ever.
const gives = (...outcomes: Outcome[]) => {
  let next = 0;
  return async () => outcomes[Math.min(next++, outcomes.length - 1)]!;
};
const every = (nth: number, odd: Outcome, usual = good) => {
  let runs = 0;
  return async () => (++runs % nth === 0 ? odd : usual);
};
const tried = (proxied: Outcome, run: Parameters<typeof triedAgain>[2], direct = good): Promise<Row> =>
  triedAgain(any, {direct, proxied}, run);

describe('a verdict behind the proxy', () => {
  it('is compared with all that the peer alone gave', () => {
    assert.equal(difference([good], good), '');
    assert.equal(difference([good, lax], lax), '');
    assert.match(difference([good], lax), /NON-STRICT behind the proxy, OK direct/);
    assert.match(difference([good], outcome('OK', 'UNCLEAN')), /close UNCLEAN behind the proxy, OK direct/);
    assert.equal(difference([outcome('OK', 'UNCLEAN'), good], outcome('OK', 'UNCLEAN')), '');
    assert.match(difference([failed], failed), /FAILED/, 'the proxy enforces the rules where the peer never does');
    assert.equal(difference([failed, good], failed), '', 'a peer that fails at random may do so behind the proxy');
  });

  it('that the peer alone gives now and then does not count', async () => {
    const row = await tried(lax, {direct: gives(good, good, lax), proxied: every(2, lax)});
    assert.equal(row.worse, '');
    assert.deepEqual(row.again, {
      tries: 2,
      differed: 0,
      direct: {'OK, close OK': 3, 'NON-STRICT, close OK': 1},
      proxied: {'NON-STRICT, close OK': 2, 'OK, close OK': 1},
    });
  });

  it('that never comes again does not count, and is said', async () => {
    const row = await tried(failed, {direct: gives(good), proxied: gives(good)});
    assert.equal(row.worse, '');
    assert.equal(row.again?.proxied['FAILED, close OK'], 1);
    const said = table('title', [row]);
    assert.match(said, /note {2}7\.1\.1 /);
    assert.match(said, /tried again 24 times, worse than ever without the proxy in 0: .*1 × FAILED, close OK/);
  });

  it('that is worse every time counts, after few tries', async () => {
    const row = await tried(lax, {direct: gives(good), proxied: gives(lax)});
    assert.match(row.worse, /NON-STRICT behind the proxy/);
    assert.equal(row.again?.tries, 6);
    assert.match(table('title', [row]), /WORSE 7\.1\.1 /);
  });

  it('that is worse now and then counts', async () => {
    for (const nth of [2, 3, 6, 12]) {
      const row = await tried(failed, {direct: gives(good), proxied: every(nth, failed)});
      assert.match(row.worse, /FAILED behind the proxy, OK direct/, `every ${nth}`);
      assert.equal(row.proxied?.verdict, 'FAILED', 'the report shows the verdict that counts');
    }
    const close = await tried(outcome('OK', 'WRONG CODE'), {
      direct: every(2, lax),
      proxied: every(3, outcome('OK', 'WRONG CODE')),
    });
    assert.match(close.worse, /close WRONG CODE/, 'another difference of the peer alone does not excuse it');
  });

  it('FAILED counts where the peer alone always fails', async () => {
    const row = await tried(failed, {direct: gives(failed), proxied: gives(failed)}, failed);
    assert.match(row.worse, /FAILED/);
  });
});

// Passes bytes on; `breaks(nth connection of a path)` says where the last byte of what the server answers is changed.
const relay =
  (breaks: (nth: number) => boolean): Between =>
  async (upstream) => {
    const seen = new Map<string, number>();
    const sockets = new Set<Socket>();
    const server = createServer({allowHalfOpen: true}, (client) => {
      const behind = connect({port: upstream, host: '127.0.0.1', allowHalfOpen: true});
      let broken: boolean | undefined;
      let head = true;
      client.on('data', (bytes: Buffer) => {
        if (broken === undefined) {
          const path = bytes.toString('latin1').split(' ')[1]!;
          const nth = seen.get(path) ?? 0;
          seen.set(path, nth + 1);
          broken = breaks(nth);
        }
        behind.write(bytes);
      });
      behind.on('data', (bytes: Buffer) => {
        if (broken && !head) bytes[bytes.length - 1]! ^= 1;
        head = false;
        client.write(bytes);
      });
      for (const [one, other] of [
        [client, behind],
        [behind, client],
      ] as const) {
        sockets.add(one);
        one.on('end', () => other.end());
        one.on('error', () => other.destroy());
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      port: (server.address() as {port: number}).port,
      stop: async () => {
        for (const one of sockets) one.destroy();
        server.close();
      },
    };
  };

describe('in place of the proxy', () => {
  const cases = allCases().filter((one) => ['1.1.2', '1.2.3', '2.2', '2.3'].includes(one.id));
  const rows = async (breaks: (nth: number) => boolean): Promise<Row[]> => {
    assert.equal(cases.length, 4);
    return runSuite('client', 'ws', cases, relay(breaks), () => undefined);
  };

  it('a relay that changes nothing is as good as none', async () => {
    for (const row of await rows(() => false)) assert.deepEqual([row.worse, row.again], ['', undefined], row.id);
  });

  it('one that spoils every third connection is worse in every case', async () => {
    for (const row of await rows((nth) => nth % 3 === 0)) {
      assert.match(row.worse, /FAILED behind the proxy, OK direct/, row.id);
      assert.equal(row.again?.differed, 6, row.id);
    }
  });

  it('one that spoils the first connection of each is excused, and that is said', async () => {
    const all = await rows((nth) => nth === 0);
    for (const row of all) {
      assert.equal(row.worse, '', row.id);
      assert.match(JSON.stringify(row.again?.proxied), /"FAILED, close [A-Z ]+":1,"OK, close OK":24}/, row.id);
    }
    assert.equal(table('', all).match(/tried again/g)?.length, all.length);
  });
});
