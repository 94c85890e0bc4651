import { setImmediate as nextTurn } from 'node:timers/promises';

/** Milliseconds of one turn: what a request notices little. */
const longest = 10;

/**
 * A function to await between the parts of long work, which lets everything else in the process go
 * on: promises alone do not, where a database answers without waiting.
 */
export function takingTurns(): () => Promise<void> {
  let began = performance.now();
  return async () => {
    if (performance.now() - began < longest) return;
    await nextTurn();
    began = performance.now();
  };
}
