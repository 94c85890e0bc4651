import type { ClientRegistration } from '../../../src/domain/client-registration.ts';
import type { Clock } from '../../../src/domain/clock.ts';
import { JoseError } from '../../../src/jose/jose-error.ts';
import type { PublicKey } from '../../../src/jose/public-key.ts';
import { registeredKeys } from '../../../src/protocol/client-keys/registered-keys.ts';
import {
  type FetchedJwkSet,
  parseJwkSet,
} from '../../../src/protocol/client-keys/remote-jwks/jwk-set.ts';
import { remoteJwks } from '../../../src/protocol/client-keys/remote-jwks/remote-jwks.ts';
import { RemoteJwksUnavailable } from '../../../src/protocol/client-keys/remote-jwks/unavailable.ts';
import { discover } from './discover.ts';
import { fetchJson } from './fetch-json.ts';
import { Refused } from './refusal.ts';

/** How long documents of the issuer are cached, in seconds. */
export interface CacheLimits {
  /** The minimum time between two fetches, even for an unknown `kid`. Default: 10. */
  readonly coolDown?: number;
  /** The minimum time after a failed fetch. Default: 5. */
  readonly failureCoolDown?: number;
  /** How long an expired copy is used while the issuer is unreachable. Default: 3600. */
  readonly stale?: number;
  /** Lifetime of a copy without `Cache-Control`. Default: 300. */
  readonly defaultAge?: number;
  /** The maximum lifetime of a copy. Default: 3600. */
  readonly maxAge?: number;
}

export interface IssuerKeysOptions {
  readonly issuer: string;
  /** For issuers that publish no metadata. */
  readonly jwksUri?: string;
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
  readonly cache?: CacheLimits;
  /** Called after every failed fetch, even if a stale copy is used. */
  readonly onFetchFailure?: (uri: string, failure: Error) => void;
}

/** The published keys of an issuer and its clients. Lookups throw Refused (503) if unavailable. */
export interface IssuerKeys {
  /** The signing key with this `kid` that `signed` accepts; fetches again if there is none. */
  signingKey(kid: string, signed: (key: PublicKey) => boolean): Promise<PublicKey | undefined>;
  /** Where the issuer publishes the keys of a client (RFC 7800 §3.5). */
  clientJwksUri(clientId: string): string;
  /** The registered key of a client. */
  clientKey(clientId: string, kid: string): Promise<PublicKey | undefined>;
}

/**
 * Caches metadata (RFC 8414), JWK Set and client JWK Sets of one issuer as their headers allow. An
 * unknown `kid` causes a fetch, and a stale copy is used while the issuer is unreachable.
 */
export function issuerKeys({
  issuer,
  jwksUri,
  fetch,
  clock,
  cache = {},
  onFetchFailure,
}: IssuerKeysOptions): IssuerKeys {
  const {
    coolDown = 10,
    failureCoolDown = 5,
    stale = 3600,
    defaultAge = 300,
    maxAge = 3600,
  } = cache;
  const root = issuer.replace(/\/$/, '');
  const documents = remoteJwks({
    fetch: async (uri) =>
      uri === issuer ? fetchSigningKeys(fetch, issuer, jwksUri) : fetchClientKeys(fetch, uri),
    clock,
    limits: {
      minAgeMs: coolDown * 1000,
      maxAgeMs: maxAge * 1000,
      defaultAgeMs: Math.min(defaultAge, maxAge) * 1000,
      coolDownMs: coolDown * 1000,
      failureCoolDownMs: failureCoolDown * 1000,
      staleMs: stale * 1000,
      maxBytes: 16 * 1024 * 1024,
      maxCoolDowns: 10_000,
    },
    ...(onFetchFailure !== undefined && { onFailure: onFetchFailure }),
  });
  const published = registeredKeys(documents);
  const had = async <T>(keys: Promise<T>): Promise<T> => {
    try {
      return await keys;
    } catch (cause) {
      if (!(cause instanceof RemoteJwksUnavailable || cause instanceof JoseError)) throw cause;
      throw new Refused({
        error: 'temporarily_unavailable',
        description: 'the keys of the issuer cannot be had now',
        reason: 'issuer_keys_unavailable',
        cause,
      });
    }
  };
  const clientJwksUri = (clientId: string) =>
    `${root}/clients/${encodeURIComponent(clientId)}/jwks`;
  return {
    signingKey: async (kid, signed) => had(published.signer(behind(issuer), kid, signed)),
    clientJwksUri,
    async clientKey(clientId, kid) {
      const [key, ...more] = await had(published.find(behind(clientJwksUri(clientId)), kid));
      // Several keys with one `kid` are ambiguous.
      return more.length === 0 ? key : undefined;
    },
  };
}

function behind(jwks_uri: string): ClientRegistration {
  return { jwks_uri } as ClientRegistration;
}

/** Reads the metadata with every fetch of the keys, to follow a changed `jwks_uri`. */
async function fetchSigningKeys(
  fetch: typeof globalThis.fetch,
  issuer: string,
  jwksUri: string | undefined,
): Promise<FetchedJwkSet> {
  const uri = jwksUri ?? (await discover(fetch, issuer, 'jwks_uri'));
  const { body, lifetimeMs } = await fetchJson(fetch, uri);
  if (body === undefined) throw new RemoteJwksUnavailable('status_not_200');
  return { jwks: parseJwkSet(body), lifetimeMs };
}

async function fetchClientKeys(
  fetch: typeof globalThis.fetch,
  uri: string,
): Promise<FetchedJwkSet> {
  const { body, lifetimeMs } = await fetchJson(fetch, uri);
  // 404 means that the client is gone, so an old copy must not be used.
  return body === undefined
    ? { jwks: { keys: [] }, lifetimeMs }
    : { jwks: parseJwkSet(body), lifetimeMs };
}
