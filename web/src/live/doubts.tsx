import {Icon} from '../control/icon';
import type {Certainty} from './certainty';

/** `clear` when nothing could say otherwise, else what is not known. */
export function Verdict({certainty, clear, known}: {certainty: Certainty; clear: string; known: string}) {
  if (certainty.waiting) return <p className="verdict-line faint">Asking …</p>;
  if (certainty.doubts.length === 0)
    return (
      <p className="verdict-line faint">
        <Icon name="check" /> {clear}
      </p>
    );
  return (
    <div className="verdict-line">
      <p className="soft">{known}</p>
      <Doubts certainty={certainty} />
    </div>
  );
}

export function Doubts({certainty}: {certainty: Certainty}) {
  if (certainty.doubts.length === 0) return null;
  return (
    <ul className="doubts" aria-label="What is not known">
      {certainty.doubts.map((one) => (
        <li key={one}>
          <span className="dot warn" /> {one}
        </li>
      ))}
    </ul>
  );
}
