// One choice out of a list, with "any" on top.
import {Button, Label, ListBox, ListBoxItem, Popover, Select, SelectValue} from 'react-aria-components';
import {Icon} from './icon';

export interface Option {
  key: string;
  label: string;
}

export function Choice({
  label,
  value,
  options,
  onChange,
  any = 'any',
  hideLabel = false,
}: {
  label: string;
  value: string;
  options: readonly Option[];
  onChange: (key: string) => void;
  /** Text of the empty choice; null when there is none. */
  any?: string | null;
  hideLabel?: boolean;
}) {
  const items: Option[] = [...(any === null ? [] : [{key: '', label: any}]), ...options];
  // A value of the address that is in no list (yet) is still shown as what it is.
  if (value && !items.some((one) => one.key === value)) items.push({key: value, label: value});
  return (
    <Select
      className="field"
      selectedKey={value || ANY}
      onSelectionChange={(key) => onChange(key === ANY ? '' : String(key))}
      {...(hideLabel ? {'aria-label': label} : {})}
    >
      {!hideLabel && <Label>{label}</Label>}
      <Button className="button select-button">
        <SelectValue className="value" />
        <Icon name="down" size={12} />
      </Button>
      <Popover className="popover">
        <ListBox className="options">
          {items.map((one) => (
            <ListBoxItem key={one.key || ANY} id={one.key || ANY} className="option" textValue={one.label}>
              <span className="clip">{one.label}</span>
            </ListBoxItem>
          ))}
        </ListBox>
      </Popover>
    </Select>
  );
}
const ANY = '(any)';
