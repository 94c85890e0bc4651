import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds of one turn, short enough for requests not to notice. */
const longest = 10;

/**
 * Returns a function to await between parts of long work, which lets other work in the process run.
 * Promises alone do not, if a database answers without waiting.
 */
export function takingTurns(): () => Promise<void> {
  let began = performance.now();
  return async () => {
    if (performance.now() - began < longest) return;
    await nextTurn();
    began = performance.now();
  };
}
