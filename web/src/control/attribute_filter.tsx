// key:value conditions, each a chip that can be taken off.
import {useState} from 'react';
import {Button} from 'react-aria-components';
import {Icon} from './icon';

export function AttributeFilter({
  label,
  values,
  onChange,
}: {
  label: string;
  values: readonly string[];
  onChange: (values: string[]) => void;
}) {
  const [typed, setTyped] = useState('');
  const wrong = typed !== '' && !/^[^:]+:.+$/s.test(typed);
  function add(): void {
    const value = typed.trim();
    if (value === '' || wrong) return;
    if (!values.includes(value)) onChange([...values, value]);
    setTyped('');
  }
  return (
    <div className="field attribute-filter">
      <span className="label">{label}</span>
      <div className="row wrap">
        {values.map((one) => (
          <span key={one} className="badge chip">
            <span className="clip mono">{one}</span>
            <Button
              className="chip-off"
              aria-label={`Remove ${one}`}
              onPress={() => onChange(values.filter((other) => other !== one))}
            >
              <Icon name="close" size={10} />
            </Button>
          </span>
        ))}
        <input
          className="input"
          aria-label={label}
          value={typed}
          placeholder="key:value ↵"
          title="key:value, for example gen_ai.request.model:gpt-realtime"
          spellCheck={false}
          maxLength={500}
          aria-invalid={wrong}
          onChange={(event) => setTyped(event.target.value)}
          onBlur={add}
          onKeyDown={(event) => {
            if (event.key === 'Enter') add();
            else if (event.key === 'Backspace' && typed === '' && values.length) onChange(values.slice(0, -1));
          }}
        />
      </div>
    </div>
  );
}
