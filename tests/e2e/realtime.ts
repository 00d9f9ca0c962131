// OpenAI's Realtime service, played: the events of the GA API in the order it sends them, with its fields as far as
// clients read them. What it says is made up, and what it is told, in text or as audio, says how it answers:
//   write N, speak N     N words, as text or aloud (a transcript and two pieces of audio for each)
//   weather              asks for a tool
//   hold, speak for ever go on until they are stopped: the first with no more words after four
//   break N, ramble N    fail, or reach the limit of tokens, after N words
// Whoever speaks to it sends audio whose bytes are what is said, then silence: bytes of 0.
import type {WebSocket} from 'ws';
import type {Backend} from './support.js';

export type Event = Record<string, any>;

// What it answered.
export interface Answer {
  id: string;
  status: 'completed' | 'cancelled' | 'failed' | 'incomplete';
  finish: string; // the reason it ended, or its status
  chunks: number;
  audio: number; // of those
  input: number; // tokens
  output: number;
  traceparent?: string; // of what asked for it
  spoken: boolean; // it answers speech
  wait?: number; // ms from the end of that to the first sound, else to the first chunk
}
interface Running extends Answer {
  cancel: (reason: string) => void;
}

export interface Played {
  answers: Answer[];
  transcripts: {input: number; output: number}[]; // of what it heard, where it was asked for them
}
export function play(server: Backend): Played {
  const played: Played = {answers: [], transcripts: []};
  server.accepted = (socket) => session(socket, played);
  return played;
}

const merged = (into: Event, from: Event): Event => ({
  ...into,
  ...Object.fromEntries(
    Object.entries(from).map(([key, value]) => [
      key,
      value && typeof value === 'object' && !Array.isArray(value) ? merged(into[key] ?? {}, value) : value,
    ]),
  ),
});

function session(socket: WebSocket, {answers, transcripts}: Played): void {
  let events = 0,
    responses = 0,
    items = 0;
  let turn = ''; // what was said last
  let running: Running | undefined;
  let speech: {item: string; said: string} | undefined;
  let spoken = 0; // ms of audio
  let session: Event = {
    type: 'realtime',
    object: 'realtime.session',
    id: 'sess_1',
    model: 'gpt-realtime',
    output_modalities: ['audio'],
    instructions: '',
    tools: [],
    tool_choice: 'auto',
    max_output_tokens: 'inf',
    tracing: null,
    prompt: null,
    expires_at: 1_900_000_000,
    include: null,
    audio: {
      input: {
        format: {type: 'audio/pcm', rate: 24000},
        transcription: null,
        noise_reduction: null,
        turn_detection: {type: 'server_vad', threshold: 0.5, create_response: true, interrupt_response: true},
      },
      output: {format: {type: 'audio/pcm', rate: 24000}, voice: 'marin', speed: 1},
    },
  };
  const send = (type: string, more: Event = {}) =>
    socket.send(JSON.stringify({type, event_id: `event_${++events}`, ...more}));
  const refuse = (code: string, message: string, event: Event) =>
    send('error', {
      error: {type: 'invalid_request_error', code, message, param: null, event_id: event.event_id ?? null},
    });
  const item = (more: Event): Event => ({id: `item_${++items}`, object: 'realtime.item', ...more});
  const keep = (added: Event) => {
    send('conversation.item.added', {previous_item_id: null, item: added});
    send('conversation.item.done', {previous_item_id: null, item: added});
  };

  // `stopped`: when speech ended, where that alone asks for an answer.
  function respond(asked: Event, stopped?: number): void {
    if (running)
      return refuse('conversation_already_has_active_response', 'Conversation already has an active response.', asked);
    const number = ++responses;
    const [what, count] = /^(\D*?) ?(\d*)$/.exec(turn)!.slice(1) as [string, string];
    const tool = what === 'weather',
      aloud = what.startsWith('speak');
    const words = what === 'speak for ever' ? Infinity : count ? Number(count) : tool ? 3 : aloud ? 5 : 4;
    const response = {
      object: 'realtime.response',
      id: `resp_${number}`,
      status: 'in_progress',
      status_details: null,
      output: [] as Event[],
      conversation_id: 'conv_1',
      output_modalities: [aloud ? 'audio' : 'text'],
      max_output_tokens: 'inf',
      usage: null as Event | null,
      metadata: asked.response?.metadata ?? null,
    };
    send('response.created', {response});
    const out = item(
      tool
        ? {type: 'function_call', status: 'in_progress', name: 'get_weather', call_id: `call_${number}`, arguments: ''}
        : {type: 'message', status: 'in_progress', role: 'assistant', content: []},
    );
    const at = {response_id: response.id, item_id: out.id, output_index: 0, ...(tool ? {} : {content_index: 0})};
    send('response.output_item.added', {response_id: response.id, output_index: 0, item: out});
    send('conversation.item.added', {previous_item_id: null, item: out});
    if (!tool)
      send('response.content_part.added', {
        ...at,
        part: aloud ? {type: 'audio', transcript: ''} : {type: 'text', text: ''},
      });

    const answer: Running = {
      id: response.id,
      status: 'completed',
      finish: 'stop',
      chunks: 0,
      audio: 0,
      input: 100 * number,
      output: 10 + number,
      traceparent: response.metadata?.traceparent,
      spoken: stopped !== undefined,
      cancel: (reason) => finish('cancelled', reason),
    };
    running = answer;
    let wait: NodeJS.Timeout | undefined;
    const chunk = (type: string, delta: string) => {
      const audio = type === 'response.output_audio.delta';
      if (stopped !== undefined && (audio ? !answer.audio : !answer.chunks)) answer.wait = performance.now() - stopped;
      ++answer.chunks;
      if (audio) ++answer.audio;
      send(type, {...at, ...(tool ? {call_id: out.call_id} : {}), delta});
    };
    const finish = (status: Answer['status'], reason?: string) => {
      clearTimeout(wait);
      running = undefined;
      out.status = status === 'completed' ? 'completed' : 'incomplete';
      if (tool) {
        out.arguments = '{"city":"Oslo"}';
        send('response.function_call_arguments.done', {
          ...at,
          call_id: out.call_id,
          name: out.name,
          arguments: out.arguments,
        });
      } else if (aloud) {
        send('response.output_audio.done', at);
        send('response.output_audio_transcript.done', {...at, transcript: 'word '});
      } else {
        send('response.output_text.done', {...at, text: 'word '});
      }
      if (!tool) send('response.content_part.done', {...at, part: {type: 'text', text: 'word '}});
      send('conversation.item.done', {previous_item_id: null, item: out});
      send('response.output_item.done', {response_id: response.id, output_index: 0, item: out});
      const details =
        status === 'completed'
          ? null
          : status === 'failed'
            ? {type: 'failed', error: {type: 'server_error', code: 'model_overloaded'}}
            : {type: status, reason};
      const usage = {
        total_tokens: answer.input + answer.output,
        input_tokens: answer.input,
        output_tokens: answer.output,
        input_token_details: {text_tokens: answer.input, audio_tokens: 0, image_tokens: 0, cached_tokens: 64},
        output_token_details: {text_tokens: 10, audio_tokens: number},
      };
      const {cancel: _, ...told} = answer;
      answers.push({...told, status, finish: reason ?? (status === 'completed' ? 'stop' : status)});
      send('response.done', {response: {...response, status, status_details: details, output: [out], usage}});
      send('rate_limits.updated', {
        rate_limits: [{name: 'tokens', limit: 40_000, remaining: 39_000, reset_seconds: 0.1}],
      });
    };
    let word = 0;
    const say = () => {
      if (socket.readyState !== socket.OPEN) return;
      if (word++ < words) {
        if (tool) {
          chunk('response.function_call_arguments.delta', ['{"city"', ':"Oslo"', '}'][word - 1]!);
        } else if (aloud) {
          chunk('response.output_audio_transcript.delta', 'word ');
          for (let i = 0; i < 2; ++i) chunk('response.output_audio.delta', Buffer.alloc(2400, word).toString('base64'));
        } else {
          chunk('response.output_text.delta', 'word ');
        }
        wait = setTimeout(say, 1);
      } else if (what === 'break') {
        finish('failed');
      } else if (what === 'ramble') {
        finish('incomplete', 'max_output_tokens');
      } else if (what !== 'hold') {
        finish('completed');
      }
    };
    wait = setTimeout(say, 1);
  }

  function hear(bytes: Buffer): void {
    spoken += bytes.length / 48;
    if (bytes.some((each) => each)) {
      if (!speech) {
        speech = {item: `item_${++items}`, said: ''};
        send('input_audio_buffer.speech_started', {audio_start_ms: Math.round(spoken), item_id: speech.item});
        running?.cancel('turn_detected');
      }
      speech.said += bytes.toString();
    } else if (speech) {
      const {item: id, said} = speech;
      speech = undefined;
      const stopped = performance.now();
      send('input_audio_buffer.speech_stopped', {audio_end_ms: Math.round(spoken), item_id: id});
      send('input_audio_buffer.committed', {previous_item_id: null, item_id: id});
      keep({
        id,
        object: 'realtime.item',
        type: 'message',
        status: 'completed',
        role: 'user',
        content: [{type: 'input_audio', transcript: null}],
      });
      if (session.audio.input.transcription)
        setTimeout(() => {
          send('conversation.item.input_audio_transcription.delta', {item_id: id, content_index: 0, delta: said});
          const used = {input: 5 + transcripts.length, output: 3 + transcripts.length};
          transcripts.push(used);
          send('conversation.item.input_audio_transcription.completed', {
            item_id: id,
            content_index: 0,
            transcript: said,
            usage: {
              type: 'tokens',
              total_tokens: used.input + used.output,
              input_tokens: used.input,
              input_token_details: {text_tokens: 0, audio_tokens: used.input},
              output_tokens: used.output,
            },
          });
        }, 2);
      turn = said;
      respond({}, stopped);
    }
  }

  socket.on('message', (data) => {
    const event = JSON.parse(String(data)) as Event;
    if (event.type === 'session.update') send('session.updated', {session: (session = merged(session, event.session))});
    if (event.type === 'input_audio_buffer.append') hear(Buffer.from(event.audio, 'base64'));
    if (event.type === 'conversation.item.create') {
      turn = event.item.type === 'message' ? event.item.content[0].text : 'tool result';
      keep(item({status: 'completed', ...event.item}));
    }
    if (event.type === 'conversation.item.truncate')
      send('conversation.item.truncated', {
        item_id: event.item_id,
        content_index: event.content_index,
        audio_end_ms: event.audio_end_ms,
      });
    if (event.type === 'response.create') respond(event);
    if (event.type === 'response.cancel')
      running
        ? running.cancel('client_cancelled')
        : refuse('response_cancel_not_active', 'Cancellation failed: no active response found.', event);
  });
  send('session.created', {session});
}
