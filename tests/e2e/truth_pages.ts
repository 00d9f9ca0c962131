// What the pages say of the fleet is what happened, or they say what they miss: every number is read by Chromium, in a
// range that moves and in one that ends in the middle.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';
import type {BrowserContext, Locator, Page} from 'playwright-core';
import {eventually} from '../lib/wait.js';
import {browser, pageErrors, numberOf, patience, picture, secondsOf, settled, window} from './chromium.js';
import {operations, type Session} from './fleet.js';
import {endedSessions, fate, type Run, sum, tally} from './fleet_run.js';

// As the pages name the ways to end.
const NAMES: Record<string, string> = {
  normal: 'Normal',
  idle: 'Idle',
  drain: 'Drained',
  reset: 'Reset',
  limit: 'Limit',
  protocol_error: 'Protocol error',
  heartbeat_timeout: 'Heartbeat timeout',
};
const CODES: Record<number, string> = {1011: '1011 server error', 4001: '4001 application error'};
const nameOf = (one: Session): string => {
  const {why, code, abnormal} = fate(one)!;
  return (why === 'normal' && abnormal && CODES[code]) || NAMES[why]!;
};

export function pagesTell(run: Run): void {
  describe('the pages', () => {
    let page: Page, context: BrowserContext;
    before(async () => {
      // As high as the longest list: all of its rows are there.
      ({page, context} = await window(await browser(), run.fleet.console, {viewport: {width: 1440, height: 9000}}));
    });
    after(async () => context?.close());

    const goes = async (path: string): Promise<void> => {
      await page.goto(run.fleet.console.url + path);
      await settled(page);
    };
    // Polls: what moves is told a little later than it happens.
    const says = (what: string, look: () => Promise<void>): Promise<unknown> =>
      eventually(what, async () => (await look(), true), patience, 200);
    const rowsOf = (label: string | RegExp): Locator =>
      page.getByRole('grid', {name: label}).locator('.table-body [role=row]');
    const headsOf = (label: string | RegExp): Promise<string[]> =>
      page.getByRole('grid', {name: label}).getByRole('columnheader').allTextContents();
    // The rows of a table, by the titles of its columns.
    async function tableOf(label: string | RegExp): Promise<Record<string, string>[]> {
      const heads = (await headsOf(label)).map((head) => head.replace(/[↓↑]/, ''));
      const texts = await rowsOf(label).evaluateAll((rows) =>
        rows.map((row) => Array.from(row.querySelectorAll('[role=gridcell]'), (cell) => cell.textContent ?? '')),
      );
      return texts.map((cells) => Object.fromEntries(heads.map((head, i) => [head, cells[i] ?? ''])));
    }
    const card = (title: string): Locator =>
      page.locator('.fleet-card').filter({has: page.getByRole('heading', {name: title, exact: true})});
    async function legendOf(of: Locator): Promise<Record<string, number>> {
      const out: Record<string, number> = {};
      for (const item of await of.locator('.legend-item').all())
        out[(await item.locator('.soft').textContent())!] = numberOf(await item.locator('.legend-value').textContent());
      return out;
    }
    const valueOf = async (title: string): Promise<string> =>
      (await card(title)
        .locator('.fleet-value')
        .evaluate((value) => value.firstChild?.textContent)) ?? '';

    const all = (): Session[] => run.fleet.sessions;
    const range = (from: number, to: number): string => `from=${from}&to=${to}`;
    const died = (those: Session[]): Session[] => those.filter((one) => fate(one)!.abnormal);
    interface Part {
      name: string;
      live: boolean;
      query: () => string;
      opened: () => Session[];
      ended: () => Session[];
      open: (one: Session) => boolean; // at its end, or now
    }
    // Everything, as it is now; and until what was to end had ended, but no proxy had gone.
    const parts: Part[] = [
      {
        name: 'in the last hour',
        live: true,
        query: () => 'range=1h',
        opened: all,
        ended: () => endedSessions(run),
        open: (one) => !fate(one) && one.member === 'alpha',
      },
      {
        name: 'in a range that ends in the middle',
        live: false,
        query: () => range(run.at.began, run.at.ended),
        opened: all,
        ended: () => endedSessions(run).filter((one) => fate(one)!.why !== 'drain'),
        open: (one) => one.kind === 'open',
      },
    ];

    for (const part of parts) {
      const {live} = part;
      describe(part.name, () => {
        it('Fleet: headlines, legends, the table of routes', async () => {
          await goes(`/?${part.query()}`);
          const ends = tally(part.ended(), nameOf);
          const open = all().filter(part.open).length;
          await says('the figures of Fleet', async () => {
            assert.equal(numberOf(await valueOf('Open sessions')), open);
            assert.equal(numberOf(await valueOf('Missed heartbeats')), sum(all().map((one) => one.unanswered)));
            assert.equal(numberOf(await valueOf('Ended, by reason')), part.ended().length);
            assert.match(
              (await card('Ended, by reason').locator('.unit').textContent())!,
              new RegExp(` ${died(part.ended()).length} abnormal`),
            );
            assert.deepEqual(await legendOf(card('Ended, by reason')), ends);
            assert.equal(numberOf(await valueOf('Reconnects')), 0);
            const rows = await tableOf('Routes');
            const routes = tally(all(), (one) => one.route);
            assert.deepEqual(
              rows
                .map((row) => row.Route)
                .filter((name) => name !== 'unmatched')
                .sort(),
              Object.keys(routes).sort(),
            );
            for (const row of rows.filter(({Route}) => Route !== 'unmatched')) {
              const of = (those: Session[]): number => those.filter((one) => one.route === row.Route).length;
              assert.deepEqual(
                [row.Open, row.Opened, row.Ended, row.Abnormal].map(numberOf),
                [of(all().filter(part.open)), of(part.opened()), of(part.ended()), of(died(part.ended()))],
                row.Route,
              );
            }
          });
          if (live)
            assert.match(
              (await page.locator('.about').textContent())!,
              /^30 sessions open now\. 50 of 80 open sessions have not been heard from since/,
            );
          await picture(page, `truth-fleet-${live ? 'live' : 'fixed'}`);
        });

        it('Fleet: what needs attention, and what is missing', async () => {
          const ended = died(part.ended());
          const attention = page.getByRole('region', {name: 'Needs attention'});
          const shown = await attention.locator('.attention-half').nth(1).getByRole('listitem').allTextContents();
          assert.equal(shown.length, 5);
          for (const text of shown)
            assert.ok(
              ended.some((one) => text.includes(one.path)),
              text,
            );
          const notes = await page
            .getByRole('list', {name: 'Figures that are missing'})
            .getByRole('listitem')
            .allTextContents();
          const away = notes.find((note) => note.includes('the console was away'))!;
          const seconds = secondsOf(/missing (.*?): /.exec(away)![1]);
          const {stored, killed, absent, back} = run.at;
          // Both ends are told in whole seconds.
          assert.ok(seconds >= (absent - killed) / 1e3 - 1 && seconds <= (back - stored) / 1e3 + 1, away);
          // It came back a little after the console did, and did not come back from its end.
          const beta = notes.find((note) => note.includes('beta on'));
          const missed = beta ? secondsOf(/missing (.*?): /.exec(beta)![1]) : 0;
          if (part.live) assert.ok(missed >= (run.at.over - run.at.lost) / 1e3 - 1, notes.join());
          else assert.ok(missed <= (run.at.ended - run.at.absent) / 1e3 + 1, notes.join());
          assert.equal(await attention.getByText(/All clear/).count(), 0);
        });

        for (const state of ['open', 'ended', 'any'] as const)
          it(`Sessions: ${state}`, async () => {
            await goes(`/sessions?${part.query()}&state=${state}`);
            const wanted =
              state === 'ended'
                ? part.ended()
                : state === 'any'
                  ? all()
                  : all().filter((one) => part.open(one) || (live && !fate(one)));
            let rows: Record<string, string>[] = [];
            await says('all rows', async () => {
              rows = await tableOf('Sessions');
              assert.deepEqual(rows.map((row) => row.Target).sort(), wanted.map((one) => one.path).sort());
            });
            const foot = (await page.locator('.table-foot').textContent())!;
            assert.ok(
              foot.includes(`${wanted.length} of ${wanted.length}`) || foot.startsWith(`${wanted.length} session`),
              foot,
            );
            if (state === 'open' && live) return;
            for (const row of rows) {
              const one = wanted.find((each) => each.path === row.Target)!;
              // What comes after the range is known all the same.
              const end = fate(one);
              assert.deepEqual(
                [row.Route, row.Client, row.Messages, row.Missed],
                [one.route, one.client, one.messages.join(' / '), String(one.unanswered)],
                one.path,
              );
              if (end) assert.ok(row.End!.startsWith(nameOf(one)), `${one.path}: ${row.End}`);
              else assert.match(row.End!, one.member === 'beta' ? /not heard from since/ : /^open$/, one.path);
              if (end) {
                const [least, most] = [one.ended_ms[0] - one.opened_ms[1], one.ended_ms[1] - one.opened_ms[0]];
                const told = secondsOf(row.Duration) * 1e3;
                assert.ok(
                  told >= least * 0.99 - 2 && told <= most * 1.01 + 2,
                  `${one.path} took ${told}: ${least} to ${most}`,
                );
              }
            }
          });

        it('Incidents: groups and their counts', async () => {
          await goes(`/incidents?${part.query()}`);
          const wanted = tally(died(part.ended()), nameOf);
          await says('the groups', async () => {
            const counts: Record<string, number> = {};
            for (const group of await page.locator('section.incident').all()) {
              const name = (await group.getByRole('heading').textContent())!;
              if (!/now$/.test(name)) counts[name] = numberOf(await group.locator('.badge').first().textContent());
            }
            assert.deepEqual(counts, wanted);
            assert.deepEqual(await legendOf(page.locator('.incidents-chart')), wanted);
          });
          // What is not heard may be well.
          const doubts = page.getByText(/50 of 80 open sessions have not been heard from since/);
          await says('what is not heard', async () => assert.equal(await doubts.count(), part.live ? 1 : 0));
          await picture(page, `truth-incidents-${live ? 'live' : 'fixed'}`);
        });

        it('What happened: the strip, the tape, what changed', async () => {
          const {began, ended} = run.at;
          await goes(`/happened?${part.query()}&a=${began}&b=${ended}`);
          const deaths = died(part.ended()).length;
          await says('the tape', async () => {
            const legend = await legendOf(page.locator('.happened figure'));
            assert.deepEqual(legend, {opened: 300, 'ended normally': part.ended().length - deaths, died: deaths});
            const rows = await tableOf('What happened');
            const kind = (name: string): number =>
              sum(rows.filter((row) => row.Kind === name && row.Count).map((row) => numberOf(row.Count)));
            assert.deepEqual(
              [kind('opened'), kind('normal ends'), kind('deaths')],
              [300, part.ended().filter((one) => !fate(one)!.abnormal && fate(one)!.why !== 'drain').length, deaths],
            );
            for (const row of rows.filter((each) => each.Kind === 'deaths'))
              assert.match(row.What!, /^\d+ sessions? died: \S/);
          });
          const changed = page.getByRole('region', {name: 'What changed'});
          const cohorts = await changed.getByRole('listitem').allTextContents();
          assert.equal(
            await changed.locator('.changes-deaths .strong').first().textContent(),
            `${deaths} sessions died`,
          );
          assert.ok(cohorts.length > 0);
          for (const cohort of cohorts) {
            const [, count, of, share] = /^(\d+) of (\d+) deaths share (.*?)(?:none died|before:)/.exec(cohort)!;
            assert.equal(Number(of), deaths);
            assert.equal(Number(count), died(part.ended()).filter((one) => shares(one, share!)).length, cohort);
          }
          await picture(page, `truth-happened-${live ? 'live' : 'fixed'}`);
        });

        it('Operations: counts, errors, percentiles; the heat map', async () => {
          await goes(`/operations?${part.query()}`);
          const rows = await tableOf('Operations');
          const calls = (name: string, member: string) =>
            run.calls.filter((call) => call.operation === name && call.service === member);
          for (const [name, {manner}] of Object.entries(operations))
            for (const member of ['alpha', 'beta']) {
              const its = calls(name, member),
                row = rows.find((each) => each.Operation === `${name} ${member}`)!;
              assert.ok(row, `${name} of ${member}`);
              assert.deepEqual(
                [row.Spans, row.Errors, row.Cancelled].map(numberOf),
                [its.length, manner === 'error' ? its.length : 0, manner === 'cancelled' ? its.length : 0],
                `${name} of ${member}`,
              );
              for (const [which, q] of [
                ['p50', 0.5],
                ['p95', 0.95],
                ['p99', 0.99],
                ['max', 1],
              ] as const) {
                const rank = (of: number[]): number => of.sort((a, b) => a - b)[Math.ceil(q * of.length) - 1]! / 1e3;
                const told = secondsOf(row[`First ${which}`]);
                const least = rank(its.map((call) => call.sent[0]! - call.got)),
                  most = rank(its.map((call) => call.seen[0]! - call.asked));
                assert.ok(
                  told >= least * 0.98 - 1e-4 && told <= most * 1.02 + 1e-4,
                  `${name} ${which}: ${told}, ${least} to ${most}`,
                );
              }
            }
          // Who looks at the console is told there, too, and is no part of the fleet.
          const fleet = rows.filter((row) => !row.Operation!.endsWith(' sockeye-console'));
          const total = (of: Record<string, string>[], key: string): number => sum(of.map((row) => numberOf(row[key])));
          const broken = run.calls.filter((call) => operations[call.operation]!.manner === 'error').length;
          assert.equal(total(fleet, 'Spans'), 300 + endedSessions(run).length + run.calls.length, 'by when they began');
          assert.equal(total(fleet, 'Errors'), died(endedSessions(run)).length + broken);
          assert.match(
            (await page.locator('.table-foot').textContent())!,
            new RegExp(
              `${total(rows, 'Spans')} spans, ${total(rows, 'Errors')} errors, ${total(rows, 'Cancelled')} cancelled`,
            ),
          );
          await goes(`/operations?${part.query()}&service=alpha&operation=LateStart&measure=first_chunk`);
          const many = calls('LateStart', 'alpha').length;
          await page
            .getByRole('application', {name: new RegExp(`^First chunk of LateStart over time: ${many} spans `)})
            .waitFor();
          assert.equal((await legendOf(page.locator('.operation-charts figure').first())).fine, many);
          await picture(page, `truth-operations-${live ? 'live' : 'fixed'}`);
        });

        it('Traces: calls, spans, traces, groups', async () => {
          await goes(`/traces?${part.query()}`);
          const foot = () => page.locator('.table-foot');
          await says('all calls', async () =>
            assert.match(
              (await foot().textContent())!,
              new RegExp(`^${run.calls.length} calls|of ${run.calls.length} calls`),
            ),
          );
          const rows = await tableOf('Calls');
          for (const row of rows) {
            const name = row.Call!.split(' ')[0]!;
            assert.equal(row.Outcome, operations[name]!.manner, row.Call);
            assert.equal(numberOf(row.Chunks), operations[name]!.gaps.length);
          }
          const alpha = (those: {member: string}[]): number => those.filter((one) => one.member === 'alpha').length;
          const spans =
            alpha(all()) + alpha(endedSessions(run)) + run.calls.filter((call) => call.service === 'alpha').length;
          await goes(`/traces?${part.query()}&view=spans&service=alpha`);
          await says('all spans', async () => {
            const more = page.getByRole('button', {name: 'Load more'});
            if (await more.isVisible()) await more.click({timeout: 1000}).catch(() => undefined);
            assert.match((await foot().textContent())!, new RegExp(`^${spans} spans`));
          });
          assert.equal((await tableOf('Spans')).length, spans);
          await goes(`/traces?${part.query()}&view=groups&by=operation&figure=first_chunk`);
          const groups = await tableOf(/^Groups|^Calls by/);
          for (const [name, {manner}] of Object.entries(operations)) {
            const its = run.calls.filter((call) => call.operation === name).length,
              row = groups.find((each) => Object.values(each)[0] === name)!;
            assert.ok(row, `${name} in ${JSON.stringify(groups)}`);
            assert.deepEqual(
              [row.Count ?? row.Calls, row.Errors].map(numberOf),
              [its, manner === 'error' ? its : 0],
              name,
            );
          }
          await picture(page, `truth-groups-${live ? 'live' : 'fixed'}`);
        });
      });
    }

    // "route chat, network 127.0.7.0/24, reason reset, close code 1006"
    function shares(one: Session, share: string): boolean {
      return share.split(', ').every((part) => {
        if (part.startsWith('route ')) return part === `route ${one.route}`;
        if (part.startsWith('network ')) return part === `network ${one.client.replace(/1$/, '0/24')}`;
        if (part.startsWith('reason '))
          return part.slice(7).replace('Close handshake', 'normal').replaceAll(' ', '_') === fate(one)!.why;
        if (part.startsWith('close code ')) return Number(part.slice(11)) === fate(one)!.code;
        if (part.startsWith('proxy ')) return part.startsWith(`proxy ${one.member} on `);
        return true; // of when, and of what all of them share, nothing is held against it here
      });
    }

    describe('a session', () => {
      const facts = async (): Promise<Record<string, string>> =>
        Object.fromEntries(
          await page
            .locator('.session-facts > div')
            .evaluateAll((rows) =>
              rows.map((row) => [row.querySelector('dt')!.textContent!, row.querySelector('dd')!.textContent!]),
            ),
        );
      const idOf = async (one: Session): Promise<string> =>
        (await run.fleet.console.api(`/sessions?${run.asked}&target=${encodeURIComponent(one.path)}`)).sessions[0].id;
      const headlines: Record<string, RegExp> = {
        goodbye: /^The client closed it with 1000 \(normal\)\.$/,
        crash: /^The server closed it with 1011 \(server error\), saying “out of memory”\.$/,
        refusal: /^The server closed it with 4001 \(application error\), saying “no such tenant”\.$/,
        violation: /^The proxy closed it with 1002 \(protocol error\): the other side broke the WebSocket protocol/,
        reset: /^The client broke the TCP connection off without a Close/,
        silence:
          /^The proxy closed it with 1001 \(going away\): 2 heartbeats in a row were left unanswered by the client\.$/,
        flood: /^The proxy closed it with 1009 \(.*\): a configured limit was reached/,
        idle: /^The proxy closed it with 1001 \(going away\): nothing had been sent for the configured idle time\.$/,
      };
      for (const [kind, headline] of Object.entries(headlines))
        it(`says how it ended, and what came before: ${kind}`, async () => {
          const one = all().find((each) => each.kind === kind && each.member === 'alpha' && each.route !== 'graph')!;
          await goes(`/sessions/${await idOf(one)}`);
          assert.match((await page.locator('.verdict-headline').textContent())!, headline);
          const said = await facts();
          assert.deepEqual(
            [said.Messages, said.Bytes, said.Target, said.Route, said.Client],
            [one.messages.join(' · '), one.bytes.map(bytesText).join(' · '), one.path, one.route, one.client],
          );
          const [least, most] = [one.ended_ms[0] - one.opened_ms[1], one.ended_ms[1] - one.opened_ms[0]];
          const lasted = secondsOf(/after (.*)$/.exec(said.Ended!)![1]) * 1e3;
          assert.ok(lasted >= least * 0.99 - 2 && lasted <= most * 1.01 + 2, `${lasted}: ${least} to ${most}`);
          await page
            .getByRole('button', {name: /^Show all/})
            .click({timeout: 500})
            .catch(() => undefined);
          const rows = await tableOf(/^Messages of this session/);
          for (const [side, who] of [
            [0, 'client'],
            [1, 'server'],
          ] as const)
            assert.deepEqual(
              rows
                .filter((row) => row.From === who && row.Message === 'text')
                .map((row) => row.Length)
                .reverse(),
              one.lengths[side].map(bytesText),
              who,
            );
        });

      it('has its calls, with their first chunks', async () => {
        const path = run.calls[0]!.path;
        const its = run.calls.filter((call) => call.path === path).sort((a, b) => b.asked - a.asked);
        await goes(`/sessions/${await idOf(all().find((one) => one.path === path)!)}`);
        const grid = page.getByRole('grid', {name: /^Calls/});
        await grid
          .getByRole('button', {name: /^Show all/})
          .click({timeout: 500})
          .catch(() => undefined);
        const rows = await tableOf(/^Calls/);
        assert.deepEqual(
          rows.map((row) => row.Call),
          its.map((call) => call.operation),
        );
        for (const [i, call] of its.entries()) {
          const row = rows[i]!,
            {gaps, manner} = operations[call.operation]!;
          assert.deepEqual([row.Outcome, numberOf(row.Chunks)], [manner, gaps.length]);
          const told = secondsOf(row['First chunk']) * 1e3;
          assert.ok(
            told >= (call.sent[0]! - call.got) * 0.995 - 0.1 && told <= (call.seen[0]! - call.asked) * 1.005 + 0.1,
            `${call.operation}: ${told}`,
          );
        }
      });

      it('of a proxy that was killed is last heard of, and does not go on', async () => {
        const one = all().find((each) => each.kind === 'open' && each.member === 'beta')!;
        await goes(`/sessions/${await idOf(one)}`);
        assert.match((await page.locator('.page-head .badge').textContent())!, /^Open when last heard from/);
      });
    });

    it('no page complained', () => assert.deepEqual(pageErrors, []));
  });
}

const bytesText = (value: number): string =>
  value < 1000 ? `${value} B` : `${Number((value / 1000).toPrecision(3))} kB`;
