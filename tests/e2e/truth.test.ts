// Every number the console gives of a fleet is what happened, or it says what it misses: 300 sessions that end in every
// way there is, calls whose chunks have known times, a console that is killed and comes back in the middle, a proxy
// that is killed and one that drains.
import {before} from 'node:test';
import {fleetRun, type Run} from './fleet_run.js';
import {figuresTell} from './truth_figures.js';
import {callsTell} from './truth_fleet_calls.js';
import {pagesTell} from './truth_pages.js';
import {sessionsTell} from './truth_sessions.js';
import {happeningsTell} from './truth_tape.js';

const run = {} as Run;
before(async () => void Object.assign(run, await fleetRun()));

sessionsTell(run);
callsTell(run);
happeningsTell(run);
figuresTell(run);
pagesTell(run);
