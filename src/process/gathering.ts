import type { FromWorker, ToWorker } from './ipc-messages.ts';

/** A worker that receives messages. */
interface Peer {
  send(message: ToWorker): void;
}

/** Milliseconds after which an answer leaves out workers that have not replied. */
const patience = 1000;

/** Asks every other worker for its part, and sends the parts to the worker that asked. */
export function gatherings<Worker extends Peer>(workers: () => Iterable<Worker>) {
  const open = new Map<
    number,
    { readonly missing: Set<Worker>; readonly parts: unknown[]; readonly answer: () => void }
  >();
  let count = 0;
  const received = (round: number, from: Worker, part?: unknown) => {
    const gathering = open.get(round);
    if (gathering?.missing.delete(from) !== true) return;
    if (part !== undefined) gathering.parts.push(part);
    if (gathering.missing.size === 0) gathering.answer();
  };
  return {
    heard(from: Worker, message: Extract<FromWorker, { type: 'gather' | 'part' }>): void {
      if (message.type === 'part') {
        received(message.round, from, message.part);
        return;
      }
      const round = ++count;
      const others = [...workers()].filter((worker) => worker !== from);
      const parts: unknown[] = [];
      const answer = () => {
        clearTimeout(late);
        if (open.delete(round)) from.send({ type: 'gathered', request: message.request, parts });
      };
      const late = setTimeout(answer, patience);
      open.set(round, { missing: new Set(others), parts, answer });
      if (others.length === 0) answer();
      for (const worker of others) worker.send({ type: 'partWanted', round });
    },
    /** Stops waiting for a worker that has ended. */
    gone(worker: Worker): void {
      for (const round of open.keys()) received(round, worker);
    },
  };
}
