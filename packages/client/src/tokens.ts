import type { IssuedToken } from './issued-token.ts';

/** The source of tokens for one resource and scope. */
export interface Tokens {
  /**
   * The current token, renewed shortly before it expires. `signal` stops the waiting of one caller.
   */
  get(signal?: AbortSignal | null): Promise<IssuedToken>;
  /** The last token that was obtained and not refused, if any. */
  current(): IssuedToken | undefined;
  /** Reports that this token was refused, so that the next `get` returns another. */
  drop(token: IssuedToken): void;
}

/** Tokens in memory. All callers that wait for one share one request. */
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

/** A token that somebody else obtained, which cannot be replaced if it is refused. */
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

/** The request continues for the others if one caller gives up. */
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
