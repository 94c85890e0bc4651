/** Maximum items per statement, which bounds how long one statement takes. */
const maxItems = 256;

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Collects the calls of one turn of the event loop and runs them as one statement; while two are in
 * progress, further calls wait for the next. `run` returns one result per item, in order; if it
 * throws, all callers get the error.
 */
export function batched<Item, Result>(
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let underWay = 0;
  let scheduled = false;
  const schedule = () => {
    if (scheduled || waiting.length === 0 || underWay >= 2) return;
    scheduled = true;
    setImmediate(flush);
  };
  const flush = () => {
    scheduled = false;
    const batch = waiting.slice(0, maxItems);
    waiting = waiting.slice(maxItems);
    underWay++;
    run(batch.map(({ item }) => item))
      .then(
        (results) => {
          for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
        },
        (reason: unknown) => {
          for (const { reject } of batch) reject(reason);
        },
      )
      .finally(() => {
        underWay--;
        schedule();
      });
    schedule();
  };
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      schedule();
    });
}
