import { AsyncLocalStorage } from 'node:async_hooks';
import type { Place } from './concurrency-limit.ts';

const placeOfRequest = new AsyncLocalStorage<Place>();

/** Does the work of a request that holds this place. */
export function inPlace(place: Place, work: () => void): void {
  placeOfRequest.run(place, work);
}

/**
 * Waits for somebody else's server: the request on whose behalf it is done, if there is one, holds
 * no place meanwhile. Whoever calls this bounds the number of those that wait.
 */
export async function waitingElsewhere<Result>(wait: () => Promise<Result>): Promise<Result> {
  const place = placeOfRequest.getStore();
  return place === undefined ? wait() : place.aside(wait);
}
