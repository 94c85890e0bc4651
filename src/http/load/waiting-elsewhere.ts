import { AsyncLocalStorage } from 'node:async_hooks';
import type { Place } from './concurrency-limit.ts';

const placeOfRequest = new AsyncLocalStorage<Place>();

/** Runs the work of a request that holds this place. */
export function inPlace(place: Place, work: () => void): void {
  placeOfRequest.run(place, work);
}

/**
 * Waits for a third-party server while the current request, if any, gives up its place. Callers
 * must limit how many wait.
 */
export async function waitingElsewhere<Result>(wait: () => Promise<Result>): Promise<Result> {
  const place = placeOfRequest.getStore();
  return place === undefined ? wait() : place.aside(wait);
}
