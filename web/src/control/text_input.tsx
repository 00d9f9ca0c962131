// A text field whose value lives in the address: what is typed is kept here and handed on after a short pause or at
// Enter.
import {useEffect, useId, useRef, useState, type HTMLInputTypeAttribute} from 'react';
import {Icon} from './icon';

const PAUSE = 300;

export function TextInput({
  label,
  value,
  onChange,
  placeholder,
  search = false,
  hideLabel = false,
  list,
  check,
  className = '',
  type,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  search?: boolean;
  hideLabel?: boolean;
  list?: readonly string[] | undefined;
  /** Says what is wrong with a value, or ''. A wrong value is not handed on. */
  check?: (value: string) => string;
  className?: string;
  type?: HTMLInputTypeAttribute;
}) {
  const id = useId();
  const [typed, setTyped] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const handed = useRef(value);
  useEffect(() => {
    if (value !== handed.current) setTyped(value); // changed from outside: Back, a cleared filter
    handed.current = value;
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const wrong = check?.(typed) ?? '';
  function hand(next: string): void {
    clearTimeout(timer.current);
    if (next === handed.current || check?.(next)) return;
    handed.current = next;
    onChange(next);
  }
  function type_(next: string): void {
    setTyped(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => hand(next), PAUSE);
  }
  const input = (
    <input
      id={id}
      className="input"
      value={typed}
      placeholder={placeholder}
      type={type ?? 'text'}
      autoComplete="off"
      spellCheck={false}
      maxLength={500}
      {...(hideLabel ? {'aria-label': label} : {})}
      {...(list ? {list: `${id}-list`} : {})}
      aria-invalid={wrong !== ''}
      title={wrong || undefined}
      onChange={(event) => type_(event.target.value)}
      onBlur={() => hand(typed)}
      onKeyDown={(event) => {
        if (event.key === 'Enter') hand(typed);
        if (event.key === 'Escape') {
          if (typed) type_('');
          else event.currentTarget.blur();
        }
      }}
    />
  );
  return (
    <div className={`field ${className}`}>
      {!hideLabel && <label htmlFor={id}>{label}</label>}
      {search ? (
        <div className="search">
          <Icon name="search" />
          {input}
        </div>
      ) : (
        input
      )}
      {list && (
        <datalist id={`${id}-list`}>
          {list.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </div>
  );
}
