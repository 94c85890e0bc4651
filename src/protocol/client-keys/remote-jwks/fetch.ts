import { type GuardedRequestOptions, guardedRequests } from './guarded-request.ts';
import { type FetchJwkSet, parseJwkSet } from './jwk-set.ts';
import { freshnessOf, readBody } from './response.ts';

/** What a fetch may reach, and how. */
export interface FetchOptions extends GuardedRequestOptions {
  /** Maximum body in bytes. Default: 65,536. */
  readonly maxBytes?: number;
}

/** A body, and the freshness lifetime of its response, in milliseconds. */
export interface Fetched {
  readonly body: Uint8Array;
  readonly lifetimeMs: number | undefined;
}

/** Fetches JSON once. Throws only `RemoteJwksUnavailable`. */
export type GuardedFetch = (uri: string) => Promise<Fetched>;

/** Fetches JSON by a guarded GET, up to a maximum size. */
export function guardedFetch({ maxBytes = 65_536, ...options }: FetchOptions = {}): GuardedFetch {
  const ask = guardedRequests(options);
  const headers = { accept: 'application/jwk-set+json, application/json' };
  return async (uri) =>
    ask(uri, { method: 'GET', headers }, async (response) => ({
      body: await readBody(response, maxBytes),
      lifetimeMs: freshnessOf(response.headers),
    }));
}

/** Fetches the JWK Set of a client. */
export function jwkSetFetcher(options: FetchOptions = {}): FetchJwkSet {
  const fetch = guardedFetch(options);
  return async (uri) => {
    const { body, lifetimeMs } = await fetch(uri);
    return { jwks: parseJwkSet(body), lifetimeMs };
  };
}
