import { setTimeout as sleep } from 'node:timers/promises';
import type { Peers } from '../ports/peers.ts';
import type { FromWorker, Question, ToWorker } from './ipc-messages.ts';

/** Milliseconds after which an unforwarded question counts as answered. */
const longest = 1500;

/** The supervising process, as a worker sees it. */
export interface Supervisor {
  readonly peers: Peers;
  /** This worker serves; `text` is for the operator's terminal. */
  running(text: string): void;
}

/** Connects to the process that forked this one. */
export function connectToSupervisor(): Supervisor {
  const send = (message: FromWorker) => {
    // The channel closes if the supervisor dies; then this process ends too.
    if (process.connected) process.send?.(message);
  };
  const waiting = new Map<number, (parts: readonly unknown[]) => void>();
  const answers: Record<Question, () => Promise<unknown>> = {
    forget: async () => undefined,
    part: async () => undefined,
  };
  let requests = 0;
  process.on('message', (message: ToWorker) => {
    if (message.type === 'answers') waiting.get(message.request)?.(message.parts);
    else
      answers[message.what]().then(
        (part) => send({ type: 'answer', round: message.round, part }),
        // No answer: the asking worker continues once cached copies must have expired.
        () => undefined,
      );
  });
  const ask = async (what: Question): Promise<readonly unknown[]> => {
    const request = ++requests;
    const answered = new Promise<readonly unknown[]>((resolve) => waiting.set(request, resolve));
    send({ type: 'ask', what, request });
    const late = new AbortController();
    const stalled = sleep(longest, [], { signal: late.signal }).catch(() => []);
    const parts = await Promise.race([answered, stalled]);
    late.abort();
    waiting.delete(request);
    return parts;
  };
  return {
    running: (text) => send({ type: 'running', text }),
    peers: {
      invalidate: async () => void (await ask('forget')),
      onInvalidation: (forget) => {
        answers.forget = forget;
      },
      gather: async () => ask('part'),
      onGather: (tell) => {
        answers.part = tell;
      },
    },
  };
}
