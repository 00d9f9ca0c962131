// The console's page. How it is laid out:
//
//   api/         types.ts is the contract with the console; fetch.ts the one way to ask it
//   route/       the address bar is the state of a view: path = page, query = everything else
//   live/        the one WebSocket: what the page looks at goes up, changes come down
//   shell/       the frame: navigation, theme, keys, token, banner
//   fleet/ sessions/ traces/ operations/ incidents/    a folder a page, with the logic only it needs
//   chart/ table/ time/ text/ control/                 what they share, named by what it is
//
// Logic that can be wrong (layout of a waterfall, critical path, the words for an end, units) is kept in files without
// React and tested in ../test. Strings from outside only ever become text nodes; nothing here sets HTML. Styles are
// files, never injected: the console's Content-Security-Policy allows nothing else.
import './style/tokens.css';
import './style/base.css';
import './style/controls.css';
import './style/shell.css';
import './style/table.css';
import './style/chart.css';
import './shell/theme';
import {QueryClientProvider} from '@tanstack/react-query';
import {createRoot} from 'react-dom/client';
import {cache} from './api/fetch';
import {App} from './app';

createRoot(document.getElementById('root')!).render(
  <QueryClientProvider client={cache}>
    <App />
  </QueryClientProvider>,
);
