import { setTimeout as sleep } from 'node:timers/promises';
import type { Peers } from '../ports/peers.ts';
import type { FromWorker, ToWorker } from './ipc-messages.ts';

/** Milliseconds after which every copy in another process has expired by itself. */
const copiesLive = 1000;

/** The supervising process, as a worker sees it. */
export interface Supervisor {
  readonly peers: Peers;
  /** This worker serves; `text` is for the operator's terminal. */
  running(text: string): void;
}

/** Speaks with the process that forked this one. */
export function supervisor(): Supervisor {
  const send = (message: FromWorker) => {
    // The channel closes when the supervising process dies; then this one ends as well.
    if (process.connected) process.send?.(message);
  };
  const waiting = new Map<number, () => void>();
  let changes = 0;
  let forget = async (): Promise<void> => undefined;
  const gathering = gatherer(send);
  process.on('message', (message: ToWorker) => {
    if (message.type === 'invalidated') waiting.get(message.change)?.();
    else if (message.type === 'forget')
      forget().then(
        () => send({ type: 'forgotten', round: message.round }),
        // Not answered: the one that waits goes on when the copies have expired.
        () => undefined,
      );
    else gathering.heard(message);
  });
  return {
    running: (text) => send({ type: 'running', text }),
    peers: {
      async invalidate() {
        const change = ++changes;
        const invalidated = new Promise<void>((resolve) => waiting.set(change, resolve));
        send({ type: 'changed', change });
        const late = new AbortController();
        await Promise.race([
          invalidated,
          sleep(copiesLive, undefined, { signal: late.signal }).catch(() => undefined),
        ]);
        late.abort();
        waiting.delete(change);
      },
      onInvalidation: (listener) => {
        forget = listener;
      },
      gather: gathering.gather,
      onGather: gathering.onGather,
    },
  };
}

/** Asks the other workers for their parts, and gives them that of this one. */
function gatherer(send: (message: FromWorker) => void) {
  const waiting = new Map<number, (parts: readonly unknown[]) => void>();
  let requests = 0;
  let partOf = async (): Promise<unknown> => undefined;
  return {
    heard(message: Extract<ToWorker, { type: 'partWanted' | 'gathered' }>): void {
      if (message.type === 'gathered') {
        waiting.get(message.request)?.(message.parts);
        return;
      }
      partOf().then(
        (part) => send({ type: 'part', round: message.round, part }),
        // Not answered: whoever asked goes on without this part.
        () => undefined,
      );
    },
    async gather(): Promise<readonly unknown[]> {
      const request = ++requests;
      const parts = new Promise<readonly unknown[]>((resolve) => waiting.set(request, resolve));
      send({ type: 'gather', request });
      return parts.finally(() => waiting.delete(request));
    },
    onGather(listener: () => Promise<unknown>): void {
      partOf = listener;
    },
  };
}
