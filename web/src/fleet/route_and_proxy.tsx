// What a page of the fleet is narrowed to: a route, a proxy, or all of them.
import {Choice} from '../control/choice';
import type {Names} from './names';

export function RouteAndProxy({
  names,
  route,
  instance,
  onChange,
}: {
  names: Names;
  route: string;
  instance: string;
  onChange: (next: {route?: string; instance?: string}) => void;
}) {
  return (
    <div className="tools">
      <Choice
        label="Route"
        hideLabel
        any="All routes"
        value={route}
        options={names.routes}
        onChange={(next) => onChange({route: next})}
      />
      <Choice
        label="Proxy"
        hideLabel
        any="All proxies"
        value={instance}
        options={names.proxies}
        onChange={(next) => onChange({instance: next})}
      />
    </div>
  );
}
