// A condition that has no field of its own, and the way to take it off.
import {Button} from 'react-aria-components';
import {Icon} from './icon';

export function Chip({text, onRemove}: {text: string; onRemove: () => void}) {
  return (
    <span className="badge chip filter-chip">
      <span className="clip">{text}</span>
      <Button className="chip-off" aria-label={`Remove ${text}`} onPress={onRemove}>
        <Icon name="close" size={10} />
      </Button>
    </span>
  );
}
