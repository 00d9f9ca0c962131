// The whole trace in one strip: a line a span. Drag to choose the time in view; double click to see all.
import {useLayoutEffect, useRef, useState, type PointerEvent} from 'react';
import {useWidth} from '../control/use_width';
import {useColors} from '../shell/theme';
import type {Layout} from './layout';
import type {Window} from './time_window';

const HEIGHT = 52;

export function Minimap({
  layout,
  colors,
  view,
  onView,
}: {
  layout: Layout;
  colors: Map<string, string>;
  view: Window;
  onView: (view: Window | null) => void;
}) {
  const [box, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const color = useColors();
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const {from, to, rows} = layout,
    total = to - from;
  useLayoutEffect(() => {
    const element = canvas.current,
      context = element?.getContext('2d');
    if (!element || !context || width === 0) return;
    const scale = devicePixelRatio || 1;
    element.width = Math.round(width * scale);
    element.height = Math.round(HEIGHT * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    const line = Math.max(1, Math.min(4, (HEIGHT - 6) / rows.length));
    rows.forEach((row, i) => {
      if (!row.span || row.note === 'off clock') return;
      const x = ((row.start - from) / total) * width;
      context.fillStyle = color(
        row.span.status === 'error' ? '--bad-mark' : (colors.get(row.span.service) ?? '--series-7'),
      );
      context.fillRect(
        x,
        3 + ((HEIGHT - 6 - line) * i) / Math.max(1, rows.length - 1),
        Math.max(1, ((row.end - row.start) / total) * width),
        line,
      );
    });
  }, [width, rows, colors, from, total, color]);

  const at = (event: PointerEvent) =>
    Math.min(1, Math.max(0, (event.clientX - box.current!.getBoundingClientRect().left) / width));
  const left = Math.max(0, (view.from - from) / total),
    right = Math.min(1, (view.to - from) / total);
  const [low, high] = drag ? [Math.min(...drag), Math.max(...drag)] : [left, right];
  return (
    <div
      ref={box}
      className="minimap"
      style={{height: HEIGHT}}
      aria-hidden="true"
      onPointerDown={(event) => {
        if (event.button === 0) {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag([at(event), at(event)]);
        }
      }}
      onPointerMove={(event) => drag && setDrag([drag[0], at(event)])}
      onPointerUp={() => {
        if (drag && (high - low) * width > 3) onView({from: from + low * total, to: from + high * total});
        else if (drag && right - left < 1) {
          // a click moves the window there
          const half = (right - left) / 2;
          onView({from: from + (drag[0] - half) * total, to: from + (drag[0] + half) * total});
        }
        setDrag(null);
      }}
      onPointerCancel={() => setDrag(null)}
      onDoubleClick={() => onView(null)}
    >
      <canvas ref={canvas} style={{width: '100%', height: HEIGHT}} />
      <i className="outside" style={{left: 0, width: `${low * 100}%`}} />
      <i className="outside" style={{right: 0, width: `${(1 - high) * 100}%`}} />
      {high - low < 0.999 && <i className="inside" style={{left: `${low * 100}%`, width: `${(high - low) * 100}%`}} />}
    </div>
  );
}
