import type { FromWorker, ToWorker } from './ipc-messages.ts';

/** A worker that receives messages. */
interface Peer {
  send(message: ToWorker): void;
}

/** Milliseconds after which workers that have not replied are left out. */
const patience = 1000;

/** Forwards a worker's question to all others, and returns their answers to it. */
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
    heard(from: Worker, message: Exclude<FromWorker, { type: 'running' }>): void {
      if (message.type === 'answer') {
        received(message.round, from, message.part);
        return;
      }
      const round = ++count;
      const others = [...workers()].filter((worker) => worker !== from);
      const parts: unknown[] = [];
      const answer = () => {
        clearTimeout(late);
        if (open.delete(round)) from.send({ type: 'answers', request: message.request, parts });
      };
      const late = setTimeout(answer, patience);
      open.set(round, { missing: new Set(others), parts, answer });
      if (others.length === 0) answer();
      for (const worker of others) worker.send({ type: 'asked', what: message.what, round });
    },
    /** Stops waiting for a worker that has ended. */
    gone(worker: Worker): void {
      for (const round of open.keys()) received(round, worker);
    },
  };
}
