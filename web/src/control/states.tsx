// What a view says while it has nothing to show: waiting, empty or failed, and what to do about it.
import type {ReactNode} from 'react';
import {Button} from 'react-aria-components';
import {ApiError} from '../api/fetch';

export function Failed({error, retry}: {error: unknown; retry?: () => void}) {
  const message = error instanceof Error ? error.message : String(error);
  const advice = error instanceof ApiError ? (ADVICE[error.code] ?? '') : '';
  return (
    <div className="state" role="alert">
      <strong>{message}</strong>
      {advice && <p>{advice}</p>}
      {retry && (
        <Button className="button" onPress={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}
const ADVICE: Record<string, string> = {
  unreachable: 'The page asks again by itself as soon as you press the button or choose another view.',
  deadline: 'The search ran into its time limit. A shorter time range or one more filter makes it faster.',
  busy: 'The console is busy taking in data. Wait a moment.',
  unauthorized: 'A token is needed; it is in the file that `sockeye console --token-file` names.',
  not_found: 'It may have been removed by the retention limits, or was never sampled.',
};

/** `page`: there is nothing else on the page, so the title is its heading. */
export function Empty({title, children, page = false}: {title: string; children?: ReactNode; page?: boolean}) {
  return (
    <div className="state">
      {page ? <h1>{title}</h1> : <strong>{title}</strong>}
      {children}
    </div>
  );
}

export function Loading({label = 'Loading'}: {label?: string}) {
  return (
    <div className="state" role="status" aria-live="polite">
      <span className="faint">{label} …</span>
    </div>
  );
}

/** A thin line over a view that is being renewed. It takes its room always, so nothing moves. */
export function Renewing({on}: {on: boolean}) {
  return <div className={`bar-loading${on ? ' on' : ''}`} aria-hidden="true" />;
}

/** Nothing has come in at all: how to point something here. */
export function NothingReceived() {
  const host = window.location.hostname;
  return (
    <div className="card">
      <div className="state left">
        <strong>Nothing received yet</strong>
        <p>Put the proxy in front of a WebSocket server and point it here. Its sessions appear within a second:</p>
        <code className="command">
          {'sockeye proxy --listen 127.0.0.1:8080 --upstream ws://127.0.0.1:9000 \\\n' +
            `  --otlp http://${host}:4318 --console ${window.location.origin}`}
        </code>
        <p>Traces of any OpenTelemetry SDK come in the same way (OTLP over HTTP on 4318, gRPC on 4317):</p>
        <code className="command">
          {`OTEL_EXPORTER_OTLP_ENDPOINT=http://${host}:4318 OTEL_SERVICE_NAME=my-service my-service`}
        </code>
        <p>
          Only want to look around? <code>./dev demo</code> starts a small voice fleet with one frozen client.
        </p>
      </div>
    </div>
  );
}
