import {ToggleButton, ToggleButtonGroup} from 'react-aria-components';

export function Segmented<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string;
  value: T;
  options: readonly {key: T; label: string}[];
  onChange: (key: T) => void;
}) {
  return (
    <ToggleButtonGroup
      className="segmented"
      aria-label={label}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[value]}
      onSelectionChange={(keys) => {
        const [key] = [...keys];
        if (key !== undefined) onChange(String(key) as T);
      }}
    >
      {options.map((one) => (
        <ToggleButton key={one.key} id={one.key}>
          {one.label}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}
