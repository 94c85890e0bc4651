import type { IssuedToken } from './issued-token.ts';

/** Where a token for one resource and scope comes from. */
export interface Tokens {
  /**
   * The current token; a new one shortly before its end. `signal` ends the waiting of one caller.
   */
  get(signal?: AbortSignal | null): Promise<IssuedToken>;
  /** The token that was obtained last and not refused, if any. */
  current(): IssuedToken | undefined;
  /** This token was refused: the next `get` has another. */
  drop(token: IssuedToken): void;
}

/** Tokens in memory. However many wait for one, it is asked for once. */
export function renewedTokens(request: () => Promise<IssuedToken>, clock: () => number): Tokens {
  let held: IssuedToken | undefined;
  let pending: Promise<IssuedToken> | undefined;
  const anew = async () => {
    try {
      held = await request();
      return held;
    } finally {
      pending = undefined;
    }
  };
  return {
    async get(signal) {
      signal?.throwIfAborted();
      if (held !== undefined && clock() < held.renewAt) return held;
      pending ??= anew();
      return until(pending, signal);
    },
    current: () => held,
    drop(token) {
      if (held === token) held = undefined;
    },
  };
}

/** A token that somebody else obtained: there is no other when it is refused. */
export function givenToken(token: IssuedToken): Tokens {
  return {
    get: async (signal) => {
      signal?.throwIfAborted();
      return token;
    },
    current: () => token,
    drop: () => undefined,
  };
}

/** The request goes on for the others when one of them gives up. */
function until<Result>(
  promise: Promise<Result>,
  signal: AbortSignal | null | undefined,
): Promise<Result> {
  if (signal === undefined || signal === null) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
