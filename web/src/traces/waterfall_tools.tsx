// What stands above a waterfall: search, the next error, the critical path, folding, zoom.
import {Button, ToggleButton} from 'react-aria-components';
import {Icon} from '../control/icon';
import {TextInput} from '../control/text_input';
import {useQueryState} from '../route/location';
import {count} from '../text/units';
import type {Row} from './layout';
import type {Folding} from './row_list';
import type {TimeWindow} from './time_window';

interface Search {
  search: string;
  found: {list: number[]} | null; // null: nothing is searched for
  errors: readonly number[];
  jump: (to: readonly number[], by: 1 | -1) => void;
}

export function WaterfallTools({
  rows,
  folding: {hidden, fold},
  view,
  active,
  critical,
  ...searching
}: {
  rows: readonly Row[];
  folding: Folding;
  view: TimeWindow;
  active: Row | undefined;
  critical: boolean;
} & Search) {
  const [, change] = useQueryState();
  const parents = () => new Set(rows.flatMap((row, i) => (row.children > 0 && row.depth >= 1 ? [i] : [])));
  return (
    <div className="waterfall-tools">
      <SearchTools {...searching} />
      <ToggleButton
        className="button small"
        isSelected={critical}
        onChange={(on) => change({critical: on ? null : '0'}, {replace: true})}
      >
        Critical path
      </ToggleButton>
      <Button className="button small" onPress={() => fold(hidden.size ? new Set() : parents())}>
        {hidden.size ? 'Unfold all' : 'Fold'}
      </Button>
      <span className="row waterfall-zoom">
        <Button className="button small icon" aria-label="Zoom in" onPress={() => view.zoom(0.5, active)}>
          <Icon name="plus" size={12} />
        </Button>
        <Button className="button small icon" aria-label="Zoom out" onPress={() => view.zoom(2, active)}>
          <Icon name="minus" size={12} />
        </Button>
        <Button
          className="button small icon"
          aria-label="Show the whole trace"
          isDisabled={view.whole}
          onPress={() => view.set(null)}
        >
          <Icon name="fit" size={12} />
        </Button>
      </span>
    </div>
  );
}

function SearchTools({search, found, errors, jump}: Search) {
  const [, change] = useQueryState();
  return (
    <>
      <TextInput
        search
        hideLabel
        className="grow"
        label="Search in this trace"
        placeholder="Name, service, attribute …"
        value={search}
        onChange={(q) => change({q}, {replace: true})}
      />
      {found && (
        <span className="num faint" role="status">
          {count(found.list.length)} {found.list.length === 1 ? 'match' : 'matches'}
        </span>
      )}
      {found && found.list.length > 0 && (
        <Button className="button small" onPress={() => jump(found.list, 1)}>
          Next
        </Button>
      )}
      {errors.length > 0 && (
        <Button className="button small" onPress={() => jump(errors, 1)}>
          <span className="dot bad" />
          Next error
        </Button>
      )}
    </>
  );
}
