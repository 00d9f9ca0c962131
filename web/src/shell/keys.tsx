// Keys that work everywhere: / focuses the search box, ? shows this list, g and a letter goes to a page.
import {useEffect, useState} from 'react';
import {Button, Dialog, Heading, Modal, ModalOverlay} from 'react-aria-components';
import {address, navigate, sharedQuery} from '../route/location';

const PAGES: Record<string, string> = {
  f: '/',
  s: '/sessions',
  t: '/traces',
  o: '/operations',
  i: '/incidents',
  w: '/happened',
};

export function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

export function useGlobalKeys(showHelp: () => void): void {
  useEffect(() => {
    let going = 0;
    function key(event: KeyboardEvent): void {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
      if (document.querySelector('.modal')) return;
      if (event.key === '/') {
        const field = document.querySelector<HTMLInputElement>('[data-global-search]');
        if (field) {
          event.preventDefault();
          field.focus();
          field.select();
        }
      } else if (event.key === '?') {
        event.preventDefault();
        showHelp();
      } else if (event.key === 'g') going = event.timeStamp;
      else if (going && event.timeStamp - going < 1200 && PAGES[event.key]) {
        event.preventDefault();
        going = 0;
        navigate(address(PAGES[event.key]!, sharedQuery(new URLSearchParams(window.location.search))));
      }
    }
    window.addEventListener('keydown', key);
    return () => window.removeEventListener('keydown', key);
  }, [showHelp]);
}

const LIST: [string, [string[], string][]][] = [
  [
    'Everywhere',
    [
      [['/'], 'search for anything'],
      [['?'], 'this list'],
      [['Esc'], 'close, clear'],
      [['g', 'f'], 'Fleet'],
      [['g', 's'], 'Sessions'],
      [['g', 't'], 'Traces'],
      [['g', 'o'], 'Operations'],
      [['g', 'i'], 'Incidents'],
      [['g', 'w'], 'What happened'],
    ],
  ],
  [
    'Tables',
    [
      [['↑', '↓'], 'from row to row'],
      [['Home', 'End'], 'first, last row'],
      [['Enter'], 'open'],
    ],
  ],
  [
    'Charts',
    [
      [['drag'], 'choose a time range'],
      [['double click'], 'back out'],
    ],
  ],
  [
    'Heat map, scatter plot',
    [
      [['arrows'], 'choose a cell, a point'],
      [['Enter'], 'list what it counts, open it'],
    ],
  ],
  [
    'Waterfall',
    [
      [['↑', '↓'], 'from span to span'],
      [['←', '→'], 'fold, unfold'],
      [['+', '−'], 'zoom'],
      [['a', 'd'], 'earlier, later'],
      [['f'], 'fit the chosen span'],
      [['0'], 'the whole trace'],
      [['c'], 'critical path'],
      [['e'], 'next error'],
    ],
  ],
  [
    'Message timeline',
    [
      [['+', '−'], 'zoom'],
      [['←', '→'], 'earlier, later'],
      [['n', 'p'], 'next, previous message'],
      [['0'], 'the whole session'],
    ],
  ],
];

export function useHelp(): [() => void, JSX.Element] {
  const [open, setOpen] = useState(false);
  return [
    () => setOpen(true),
    <ModalOverlay key="help" className="modal-veil" isOpen={open} onOpenChange={setOpen} isDismissable>
      <Modal className="modal">
        <Dialog className="dialog">
          <div className="row">
            <Heading slot="title" className="grow">
              Keys
            </Heading>
            <Button className="button quiet small" slot="close">
              Close
            </Button>
          </div>
          <div className="keys">
            {LIST.map(([title, keys]) => [
              <h3 key={title}>{title}</h3>,
              ...keys.map(([names, what]) => [
                <span key={`${title}${what}k`} className="row">
                  {names.map((name) => (
                    <kbd key={name}>{name}</kbd>
                  ))}
                </span>,
                <span key={`${title}${what}w`}>{what}</span>,
              ]),
            ])}
          </div>
        </Dialog>
      </Modal>
    </ModalOverlay>,
  ];
}
