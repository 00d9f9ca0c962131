// The message timeline: zoom with the wheel (hold Ctrl, or focus it first), keys or by dragging; the strip above shows
// the whole session and moves the view. The table below it says the same in words.
import {
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
  type RefObject,
} from 'react';
import {Button} from 'react-aria-components';
import type {RecordedMessage} from '../api/types';
import {Icon} from '../control/icon';
import {useWidth} from '../control/use_width';
import {useColors} from '../shell/theme';
import {bytes, count, duration, plural} from '../text/units';
import {preciseTime, utc} from '../time/format';
import {draw, HEIGHT, OVERVIEW} from './timeline_draw';
import {silentText} from './silence';
import {after, clampView, firstView, zoomView, type TimelineModel, type View} from './timeline_model';
import {legOf} from './words';

export function describe(message: RecordedMessage, lost: boolean): string {
  const who = message.injected
    ? `the proxy to the ${legOf(message) === 0 ? 'client' : 'server'}`
    : message.side === 0
      ? 'client'
      : 'server';
  const size = `${bytes(message.length)}${message.compressed ? ' compressed' : ''}`;
  return `${who} · ${message.type}${lost ? ' (never answered)' : ''} · ${size}`;
}

export function Timeline({
  model,
  view: asked,
  chosen,
  onView,
  onChoose,
}: {
  model: TimelineModel;
  view: View | null;
  chosen: number | null;
  onView: (view: View | null) => void;
  onChoose: (index: number | null) => void;
}) {
  const [box, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const color = useColors();
  const [pointer, setPointer] = useState<number | null>(null); // px: what is under it changes as messages come
  const [drag, setDrag] = useState<Drag | null>(null);
  const view = asked ? clampView(asked, model) : firstView(model);
  const {from, to} = view;
  const hover = pointer === null ? null : nearest(model, view, width, pointer);
  useWheel(canvas, model, view, onView);
  useLayoutEffect(() => {
    const element = canvas.current,
      context = element?.getContext('2d');
    if (!element || !context || width === 0) return;
    const scale = devicePixelRatio || 1;
    if (element.width !== Math.round(width * scale) || element.height !== Math.round(HEIGHT * scale)) {
      element.width = Math.round(width * scale);
      element.height = Math.round(HEIGHT * scale);
    }
    draw({
      context,
      color,
      width,
      model,
      view: {from, to},
      chosen: hover ?? chosen,
      selecting: drag?.mode === 'select' ? [drag.from, drag.to] : null,
    });
  }, [width, model, from, to, hover, chosen, drag, color]);

  const pointing = usePointer({canvas, width, model, view, drag, setDrag, setPointer, onView, onChoose});
  const {zoom, whole, key} = useKeys(model, view, chosen, onView, onChoose);
  return (
    <div className="timeline">
      <div className="timeline-bar">
        <Legend />
        <Tools model={model} zoom={zoom} whole={whole} onView={onView} />
      </div>
      <div ref={box} className="timeline-box" style={{height: HEIGHT}}>
        <span className="lane-name lane-client" aria-hidden="true">
          client ▸
        </span>
        <span className="lane-name lane-server" aria-hidden="true">
          ◂ server
        </span>
        {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: arrows move through what it draws. */}
        <canvas
          ref={canvas}
          tabIndex={0}
          role="application"
          aria-roledescription="message timeline"
          aria-label={nameOf(model, view)}
          style={{width: '100%', height: HEIGHT}}
          {...pointing}
          onDoubleClick={() => onView(null)}
          onKeyDown={key}
        />
      </div>
      <Readout model={model} view={view} index={hover ?? chosen} />
    </div>
  );
}

type Drag = {mode: 'select' | 'pan' | 'overview'; from: number; to: number; view: View};
type OnView = (view: View | null) => void;

/** The message that is drawn at x, or next to it. */
function nearest(model: TimelineModel, view: View, width: number, x: number): number | null {
  const at = view.from + (x / width) * (view.to - view.from),
    reach = ((view.to - view.from) / width) * 7,
    list = model.messages,
    i = after(list, at);
  const before = list[i - 1],
    next = list[i];
  const pick = before && (!next || at - before.time_ms < next.time_ms - at) ? i - 1 : i;
  return list[pick] && Math.abs(list[pick]!.time_ms - at) <= reach ? pick : null;
}

function useWheel(canvas: RefObject<HTMLCanvasElement>, model: TimelineModel, view: View, onView: OnView): void {
  const latest = useRef({model, view, onView});
  latest.current = {model, view, onView};

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    function wheel(event: WheelEvent): void {
      const {view: now, model: its, onView: change} = latest.current;
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
      // The page scrolls on.
      if (!sideways && !event.ctrlKey && !event.metaKey && document.activeElement !== element) return;
      event.preventDefault();
      const size = now.to - now.from;
      if (sideways) {
        const by = ((event.deltaX || event.deltaY) / element!.clientWidth) * size;
        change(clampView({from: now.from + by, to: now.to + by}, its));
      } else {
        const around = now.from + (event.offsetX / element!.clientWidth) * size;
        change(zoomView(now, Math.exp(event.deltaY * 0.002), around, its));
      }
    }
    element.addEventListener('wheel', wheel, {passive: false});
    return () => element.removeEventListener('wheel', wheel);
  }, [canvas]);
}

/** Dragging chooses a stretch, or moves the view; a click chooses a message. */
function usePointer({
  canvas,
  width,
  model,
  view,
  drag,
  setDrag,
  setPointer,
  onView,
  onChoose,
}: {
  canvas: RefObject<HTMLCanvasElement>;
  width: number;
  model: TimelineModel;
  view: View;
  drag: Drag | null;
  setDrag: (drag: Drag | null) => void;
  setPointer: (x: number | null) => void;
  onView: OnView;
  onChoose: (index: number | null) => void;
}) {
  const timeAt = (x: number, of: View = view) => of.from + (x / width) * (of.to - of.from);
  function place(event: PointerEvent): [number, number] {
    const frame = canvas.current!.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }
  function moveOverview(x: number): void {
    const middle = model.from + (x / width) * (model.to - model.from),
      half = (view.to - view.from) / 2;
    onView(clampView({from: middle - half, to: middle + half}, model));
  }
  function down(event: PointerEvent): void {
    if (event.button !== 0) return;
    const [x, y] = place(event);
    canvas.current!.setPointerCapture(event.pointerId);
    const mode = y < OVERVIEW ? 'overview' : event.shiftKey || event.pointerType === 'touch' ? 'pan' : 'select';
    if (mode === 'overview') moveOverview(x);
    setDrag({mode, from: x, to: x, view});
  }
  function moved(event: PointerEvent): void {
    const [x] = place(event);
    if (!drag) return setPointer(x);
    if (drag.mode === 'overview') moveOverview(x);
    else if (drag.mode === 'pan') {
      const by = ((drag.from - x) / width) * (drag.view.to - drag.view.from);
      onView(clampView({from: drag.view.from + by, to: drag.view.to + by}, model));
    } else setDrag({...drag, to: x});
  }
  function up(): void {
    if (drag?.mode === 'select') {
      if (Math.abs(drag.to - drag.from) > 4)
        onView(
          clampView({from: timeAt(Math.min(drag.from, drag.to)), to: timeAt(Math.max(drag.from, drag.to))}, model),
        );
      else onChoose(nearest(model, view, width, drag.from));
    }
    setDrag(null);
  }
  return {
    onPointerDown: down,
    onPointerMove: moved,
    onPointerUp: up,
    onPointerCancel: () => setDrag(null),
    onPointerLeave: () => setPointer(null),
  };
}

function useKeys(
  model: TimelineModel,
  view: View,
  chosen: number | null,
  onView: OnView,
  onChoose: (index: number | null) => void,
) {
  function step(by: 1 | -1): void {
    const list = model.messages;
    if (list.length === 0) return;
    const next = chosen === null ? (by > 0 ? after(list, view.from) : after(list, view.to) - 1) : chosen + by;
    const index = Math.max(0, Math.min(list.length - 1, next)),
      at = list[index]!.time_ms;
    onChoose(index);
    if (at < view.from || at > view.to)
      onView(clampView({from: at - (view.to - view.from) / 2, to: at + (view.to - view.from) / 2}, model));
  }
  const middle = (view.from + view.to) / 2,
    size = view.to - view.from;
  const zoom = (factor: number) =>
    onView(zoomView(view, factor, chosen !== null ? (model.messages[chosen]?.time_ms ?? middle) : middle, model));
  const whole = () => onView({from: model.from - 1, to: model.to + 1});
  function key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act: Record<string, () => void> = {
      '+': () => zoom(0.6),
      '=': () => zoom(0.6),
      '-': () => zoom(1 / 0.6),
      '0': whole,
      n: () => step(1),
      p: () => step(-1),
      ArrowLeft: () => onView(clampView({from: view.from - size * 0.2, to: view.to - size * 0.2}, model)),
      ArrowRight: () => onView(clampView({from: view.from + size * 0.2, to: view.to + size * 0.2}, model)),
      Escape: () => onChoose(null),
    };
    const run = act[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }
  return {zoom, whole, key};
}

/** What it shows, in a sentence. */
function nameOf(model: TimelineModel, view: View): string {
  const silent = (side: 0 | 1, who: string): string => {
    const found = model.silences[side];
    return found ? `; the ${who} was silent for the last ${duration((found[1] - found[0]) / 1000)}` : '';
  };
  const fell = model.fell ? ` ${silentText(model.fell)}` : '';
  return (
    `Messages of the session on two lanes, ${plural(model.messages.length, 'message')}, ` +
    `shown from ${preciseTime(view.from)} to ${preciseTime(view.to)}${silent(0, 'client')}${silent(1, 'server')}` +
    (model.lost.size ? `; ${plural(model.lost.size, 'ping')} never answered` : '') +
    `.${fell} The same is in the table of messages.`
  );
}

function Tools({
  model,
  zoom,
  whole,
  onView,
}: {
  model: TimelineModel;
  zoom: (factor: number) => void;
  whole: () => void;
  onView: OnView;
}) {
  return (
    <div className="row timeline-tools">
      <Button className="button small icon" aria-label="Zoom in" onPress={() => zoom(0.5)}>
        <Icon name="plus" size={12} />
      </Button>
      <Button className="button small icon" aria-label="Zoom out" onPress={() => zoom(2)}>
        <Icon name="minus" size={12} />
      </Button>
      <Button
        className="button small"
        onPress={() => onView(clampView({from: model.to - 60_000, to: model.to + 1500}, model))}
      >
        Last minute
      </Button>
      <Button className="button small" onPress={whole}>
        Whole session
      </Button>
    </div>
  );
}

function Readout({model, view, index}: {model: TimelineModel; view: View; index: number | null}) {
  const message = index !== null ? model.messages[index] : undefined;
  return (
    <div className="timeline-readout num" aria-live="polite">
      {message ? (
        <>
          <span className="strong" title={utc(message.time_ms)}>
            {preciseTime(message.time_ms)}
          </span>{' '}
          <span>{describe(message, model.lost.has(index!))}</span>{' '}
          <span className="faint">{duration((model.to - message.time_ms) / 1000)} before the end</span>
        </>
      ) : (
        <span className="faint">
          {count(after(model.messages, view.to) - after(model.messages, view.from))} messages in{' '}
          {duration((view.to - view.from) / 1000)}
          <span className="wide-only"> · drag to zoom, Ctrl+wheel, or focus it and use + − ← → n p</span>
        </span>
      )}
    </div>
  );
}

function Legend() {
  return (
    <ul className="timeline-legend" aria-label="Legend">
      <li>
        <svg width="12" height="12" aria-hidden="true">
          <path d="M2 12V5M6 12V1M10 12V7" className="client" stroke="currentColor" strokeWidth="2" />
        </svg>
        from the client
      </li>
      <li>
        <svg width="12" height="12" aria-hidden="true">
          <path d="M2 0v7M6 0v11M10 0v5" className="server" stroke="currentColor" strokeWidth="2" />
        </svg>
        from the server
      </li>
      <li>
        <svg width="12" height="12" aria-hidden="true">
          <path d="m6 1 5 5-5 5-5-5Z" className="faint" fill="currentColor" />
        </svg>
        ping
      </li>
      <li>
        <svg width="12" height="12" aria-hidden="true">
          <circle cx="6" cy="6" r="3.4" className="faint" fill="currentColor" />
        </svg>
        pong
      </li>
      <li>
        <svg width="12" height="12" aria-hidden="true">
          <path
            d="m6 1.5 4.5 4.5L6 10.5 1.5 6Z"
            className="injected"
            fill="none"
            stroke="currentColor"
            strokeWidth="1.5"
          />
        </svg>
        the proxy’s ping, to this side
      </li>
      <li>
        <svg width="14" height="12" aria-hidden="true">
          <path
            d="m7 2 4 4-4 4-4-4ZM1 0l12 12M13 0 1 12"
            className="bad"
            fill="none"
            stroke="currentColor"
            strokeWidth="1.4"
          />
        </svg>
        never answered
      </li>
      <li>
        <svg width="6" height="12" aria-hidden="true">
          <path d="M3 0v12" className="bad" stroke="currentColor" strokeWidth="2" />
        </svg>
        Close
      </li>
    </ul>
  );
}
