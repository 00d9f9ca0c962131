// One box for anything: an id or the short form the page shows, a traceparent, an address or a network, a target, an
// operation, a close reason. Answers come grouped while one types; arrows choose, Enter opens, Esc closes. The pattern
// is ARIA's combobox with a list box in groups: the focus stays in the field.
import {useCallback, useEffect, useId, useMemo, useRef, useState, type KeyboardEvent} from 'react';
import './search.css';
import {parameters, useAsk} from '../api/fetch';
import type {Found} from '../api/types';
import {Icon} from '../control/icon';
import {navigate, useLocation} from '../route/location';
import {count, plural} from '../text/units';
import {bounds, useRange} from '../time/range';
import {time} from '../time/format';
import {chosenLead, KIND_NAMES, leadsOf, restOf, type Lead} from './leads';

const PAUSE = 180;
const LEAST = 2;

export function SearchBox() {
  const id = useId();
  const {typed, change, open, setOpen, chosen, setChosen, field, wanted, found, current, groups, leads, go, key} =
    useSearch();
  const shown = open && wanted.length > 0;
  const state = stateOf(wanted, current, found.error, leads.length);
  const lead = shown ? leads[chosen] : undefined;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only hears the focus leave what is inside.
    <div
      className="search-box"
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setOpen(false);
      }}
    >
      <div className="search">
        <Icon name="search" />
        <input
          ref={field}
          id={`${id}-field`}
          className="input"
          type="text"
          role="combobox"
          data-global-search=""
          aria-label="Search for anything"
          aria-autocomplete="list"
          aria-expanded={shown}
          aria-controls={`${id}-list`}
          {...(lead ? {'aria-activedescendant': `${id}-${lead.key}`} : {})}
          placeholder="Id, client, target, operation …"
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
          maxLength={500}
          value={typed}
          onChange={(event) => change(event.target.value)}
          onFocus={() => setOpen(true)}
          onKeyDown={key}
        />
        <kbd>/</kbd>
      </div>
      <div className="search-found" hidden={!shown}>
        <Groups id={id} groups={groups} leads={leads} chosen={lead} onPoint={setChosen} onOpen={go} />
        <div className="search-state" role="status">
          {state}
          {current && found.data && !found.data.complete && leads.length > 0 && (
            <p className="warn">The search ran into its time limit; there may be more.</p>
          )}
        </div>
      </div>
    </div>
  );
}

/** What was typed, what is known of it, and what keys do. */
function useSearch() {
  const {path} = useLocation();
  const [typed, setTyped] = useState('');
  const [asked, setAsked] = useState('');
  const [open, setOpen] = useState(false);
  const [chosen, setChosen] = useState(0);
  const [waiting, setWaiting] = useState(false); // for an answer to open, since Enter was pressed
  const field = useRef<HTMLInputElement>(null);
  const wanted = typed.trim();
  const {found, current, groups, leads} = useFound(wanted, asked, setAsked);
  const [seen, setSeen] = useState({asked, path});
  if (seen.asked !== asked || seen.path !== path) {
    if (seen.asked !== asked) setChosen(0);
    if (seen.path !== path) setOpen(false);
    setSeen({asked, path});
  }

  const go = useCallback((lead: Lead) => {
    setOpen(false);
    setWaiting(false);
    setTyped('');
    setAsked('');
    field.current?.blur();
    navigate(lead.href);
  }, []);
  // Enter came before the answer: what is first is opened as soon as it is known.
  useEffect(() => {
    if (!waiting || asked !== wanted || found.isFetching) return;
    setWaiting(false);
    const lead = chosenLead(leads, 0);
    if (lead && current) go(lead);
  }, [waiting, asked, wanted, found.isFetching, leads, current, go]);

  function key(event: KeyboardEvent): void {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      setOpen(true);
      if (leads.length)
        setChosen((chosen + (event.key === 'ArrowDown' ? (open ? 1 : 0) : -1) + leads.length) % leads.length);
    } else if (event.key === 'Home' || event.key === 'End') {
      if (!open || leads.length === 0 || typed !== '') return; // in the text, as ever
      setChosen(event.key === 'Home' ? 0 : leads.length - 1);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      const lead = current ? chosenLead(leads, chosen) : undefined;
      if (lead) go(lead);
      else if (wanted.length >= LEAST) {
        setOpen(true);
        setAsked(wanted);
        setWaiting(true);
      }
    } else if (event.key === 'Escape') {
      if (open && wanted !== '') setOpen(false);
      else if (typed !== '') setTyped('');
      else field.current?.blur();
    }
  }
  function change(text: string): void {
    setTyped(text);
    setWaiting(false);
    setOpen(true);
  }
  return {typed, change, open, setOpen, chosen, setChosen, field, wanted, found, current, groups, leads, go, key};
}

/** What is known of what was typed, once nobody has typed for a moment. */
function useFound(wanted: string, asked: string, setAsked: (text: string) => void) {
  const {query} = useLocation();
  const {range} = useRange();
  useEffect(() => {
    if (wanted === asked) return;
    const timer = setTimeout(() => setAsked(wanted), PAUSE);
    return () => clearTimeout(timer);
  }, [wanted, asked, setAsked]);
  const found = useAsk<Found>(
    asked.length >= LEAST ? ['search', asked] : null,
    () => `/search${parameters({q: asked})}`,
    {keep: false},
  );
  const current = found.data !== undefined && asked === wanted;
  const groups = useMemo(
    () => (current ? (found.data?.groups ?? []).filter((group) => group.items.length > 0) : []),
    [current, found.data],
  );
  const leads = useMemo(() => leadsOf(groups, query, bounds(range)), [groups, query, range]);
  return {found, current, groups, leads};
}

function Groups({
  id,
  groups,
  leads,
  chosen,
  onPoint,
  onOpen,
}: {
  id: string;
  groups: Found['groups'];
  leads: readonly Lead[];
  chosen: Lead | undefined;
  onPoint: (index: number) => void;
  onOpen: (lead: Lead) => void;
}) {
  return (
    <div id={`${id}-list`} role="listbox" aria-label="What was found">
      {groups.map((group) => (
        <div key={group.kind} role="group" aria-labelledby={`${id}-${group.kind}`} className="search-group">
          <div id={`${id}-${group.kind}`} role="presentation" className="search-kind">
            {KIND_NAMES[group.kind] ?? group.kind} <span className="num">{restOf(group)}</span>
          </div>
          {leads
            .filter((one) => one.kind === group.kind)
            .map((one) => (
              <Option
                key={one.key}
                id={`${id}-${one.key}`}
                lead={one}
                chosen={chosen === one}
                onPoint={() => onPoint(leads.indexOf(one))}
                onOpen={() => onOpen(one)}
              />
            ))}
        </div>
      ))}
    </div>
  );
}

function stateOf(wanted: string, current: boolean, error: Error | null, many: number) {
  if (wanted.length < LEAST) return <p>Type two characters or more.</p>;
  if (error && !current) return <p className="bad">{error.message}</p>;
  if (!current) return <p>Searching …</p>;
  if (many > 0) return <p className="unseen">{plural(many, 'answer')}. Arrows choose, Enter opens.</p>;
  return (
    <p>
      Nothing is known by “<span className="break">{wanted.slice(0, 80)}</span>”. An id, a traceparent, an address or a
      network (10.2.0.0/16), a target, an operation or a close reason is found, in whole or by its beginning.
    </p>
  );
}

function Option({
  id,
  lead,
  chosen,
  onPoint,
  onOpen,
}: {
  id: string;
  lead: Lead;
  chosen: boolean;
  onPoint: () => void;
  onOpen: () => void;
}) {
  const {item} = lead;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (chosen) box.current?.scrollIntoView({block: 'nearest'});
  }, [chosen]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the focus stays in the field, whose keys move and open.
    <div
      ref={box}
      id={id}
      role="option"
      aria-selected={chosen}
      className={`search-option${chosen ? ' chosen' : ''}`}
      onPointerMove={onPoint}
      onPointerDown={(event) => event.preventDefault()} // the focus stays in the field
      onClick={onOpen}
    >
      <span className={`clip search-label${lead.kind === 'session' || lead.kind === 'trace' ? ' mono' : ''}`}>
        {item.label}
      </span>
      <span className="clip faint search-detail">{item.detail}</span>
      <span className="num faint">
        {item.count !== null ? count(item.count) : item.time_ms !== null ? time(item.time_ms) : ''}
      </span>
    </div>
  );
}
