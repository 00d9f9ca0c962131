// From the path to the page, and a net under each: what breaks one view must not take the others away.
import {Component, type ReactNode} from 'react';
import {Empty} from './control/states';
import {FleetPage} from './fleet/fleet_page';
import {IncidentsPage} from './incidents/incidents_page';
import {OperationsPage} from './operations/operations_page';
import {useLocation} from './route/location';
import {SessionPage} from './sessions/session_page';
import {SessionsPage} from './sessions/sessions_page';
import {Shell} from './shell/shell';
import {shortId, shortTrace} from './text/units';
import {HappenedPage} from './tape/happened_page';
import {TracePage} from './traces/trace_page';
import {TracesPage} from './traces/traces_page';

function page(path: string): [string, ReactNode] {
  const [, area = '', id = '', more] = path.split('/');
  if (more === undefined) {
    let name = id;
    try {
      name = decodeURIComponent(id);
    } catch {
      // As it stands.
    }
    if (area === '') return ['Fleet', <FleetPage />];
    if (area === 'sessions')
      return id ? [`Session ${shortId(name)}`, <SessionPage key={name} id={name} />] : ['Sessions', <SessionsPage />];
    if (area === 'traces')
      return id ? [`Trace ${shortTrace(name)}`, <TracePage key={name} id={name} />] : ['Traces', <TracesPage />];
    if (area === 'operations' && !id) return ['Operations', <OperationsPage />];
    if (area === 'happened' && !id) return ['What happened', <HappenedPage />];
    if (area === 'incidents' && !id) return ['Incidents', <IncidentsPage />];
  }
  return [
    'Not found',
    <Empty page title="There is no such page">
      <p>The pages are in the bar above.</p>
    </Empty>,
  ];
}

export function App() {
  const {path} = useLocation();
  const [title, view] = page(path);
  return (
    <Shell title={title}>
      <Net key={path}>{view}</Net>
    </Shell>
  );
}

class Net extends Component<{children: ReactNode}, {error: Error | null}> {
  override state: {error: Error | null} = {error: null};
  static getDerivedStateFromError(error: Error) {
    return {error};
  }
  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <Empty page title="This view broke">
        <p className="break">{this.state.error.message}</p>
        <p>Reload the page; if it stays, the address and this text make a good bug report.</p>
      </Empty>
    );
  }
}
