import type { FromWorker, ToWorker } from './ipc-messages.ts';

/** A worker that receives messages. */
interface Peer {
  send(message: ToWorker): void;
}

/** Relays an invalidation; acknowledges it once every other worker has applied it. */
export function relayInvalidations<Worker extends Peer>(workers: () => Iterable<Worker>) {
  const open = new Map<
    number,
    { readonly from: Worker; readonly change: number; readonly missing: Set<Worker> }
  >();
  let count = 0;
  const closeIfComplete = (round: number) => {
    const { from, change, missing } = open.get(round) ?? {};
    if (from === undefined || change === undefined || missing === undefined || missing.size > 0)
      return;
    open.delete(round);
    from.send({ type: 'invalidated', change });
  };
  return {
    heard(from: Worker, message: Extract<FromWorker, { type: 'changed' | 'forgotten' }>): void {
      if (message.type === 'forgotten') {
        open.get(message.round)?.missing.delete(from);
        closeIfComplete(message.round);
        return;
      }
      const round = ++count;
      const others = [...workers()].filter((worker) => worker !== from);
      open.set(round, { from, change: message.change, missing: new Set(others) });
      for (const worker of others) worker.send({ type: 'forget', round });
      closeIfComplete(round);
    },
    /** Forgets a worker that has ended: it holds no copies and waits for nobody. */
    gone(worker: Worker): void {
      for (const [round, { from, missing }] of open) {
        missing.delete(worker);
        if (from === worker) open.delete(round);
        else closeIfComplete(round);
      }
    },
  };
}
