import { RemoteJwksUnavailable } from './unavailable.ts';

/** Runs work during which the caller waits for a third-party server. */
export type WaitingElsewhere = <T>(work: () => Promise<T>) => Promise<T>;

/** Limits on fetches and on the callers that wait for them. */
export interface FlightLimits {
  readonly maxFetches: number;
  readonly maxWaiting: number;
  readonly maxWaitingForAll: number;
}

interface Flight<T> {
  readonly landed: Promise<T>;
  waiting: number;
}

/**
 * Runs one fetch at a time for each key, shared by all callers that wait for it. Excess callers are
 * refused immediately (`RemoteJwksUnavailable`), because third-party servers may be slow.
 */
export function flights<T>(
  { maxFetches, maxWaiting, maxWaitingForAll }: FlightLimits,
  waitingElsewhere: WaitingElsewhere,
): (key: string, fetch: () => Promise<T>) => Promise<T> {
  const underWay = new Map<string, Flight<T>>();
  let waitingForAll = 0;
  const start = (key: string, fetch: () => Promise<T>): Flight<T> => {
    if (underWay.size >= maxFetches) throw new RemoteJwksUnavailable('too_many_fetches');
    const landed = fetch().finally(() => underWay.delete(key));
    const flight = { landed, waiting: 0 };
    underWay.set(key, flight);
    return flight;
  };
  return async (key, fetch) => {
    if (waitingForAll >= maxWaitingForAll) throw new RemoteJwksUnavailable('too_many_waiting');
    const flight = underWay.get(key) ?? start(key, fetch);
    if (flight.waiting >= maxWaiting) throw new RemoteJwksUnavailable('too_many_waiting');
    flight.waiting++;
    waitingForAll++;
    try {
      return await waitingElsewhere(async () => flight.landed);
    } finally {
      flight.waiting--;
      waitingForAll--;
    }
  };
}
