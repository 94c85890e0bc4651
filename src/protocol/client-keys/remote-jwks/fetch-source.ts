import type { IssuerKeySource, KeySource } from '../../../domain/key-source.ts';
import { type ReadBelow, readBelow } from './bundle-file.ts';
import type { EgressProxy } from './egress-proxy.ts';
import { type GuardedFetch, guardedFetch } from './fetch.ts';
import {
  type FetchedJwkSet,
  type FetchJwkSet,
  isObject,
  parseJson,
  parseJwkSet,
  parseTrustBundle,
} from './jwk-set.ts';
import { RemoteJwksUnavailable } from './unavailable.ts';

export interface FetchSourceOptions {
  /** True: private and loopback addresses are allowed for every source. */
  readonly allowPrivateAddresses: boolean;
  /** Where files of trust bundles and of certificate authorities are. */
  readonly directory: string | undefined;
  readonly proxy: EgressProxy | undefined;
}

/** Fetches keys from any source: a client's URI, or what a trusted issuer has registered. */
export function fetchSource(options: FetchSourceOptions): FetchJwkSet<KeySource> {
  const { proxy, directory } = options;
  const read = readBelow(directory);
  // Both trust Node's root certificates, which are slow to read, so each is created once.
  const fetches = [false, true].map((allowPrivateAddresses) =>
    guardedFetch({ allowPrivateAddresses, proxy }),
  ) as [GuardedFetch, GuardedFetch];
  const fetchFor = async ({ ca, allowPrivateAddresses = false }: Partial<IssuerKeySource>) => {
    const isPrivate = allowPrivateAddresses || options.allowPrivateAddresses;
    if (ca === undefined) return fetches[isPrivate ? 1 : 0];
    const pem = 'pem' in ca ? ca.pem : (await read(ca.file)).toString('latin1');
    return guardedFetch({ allowPrivateAddresses: isPrivate, proxy, ca: pem });
  };
  return async (source) => {
    if (typeof source !== 'string') return fromIssuer(source, read, await fetchFor(source));
    const { body, lifetimeMs } = await (await fetchFor({}))(source);
    return { jwks: parseJwkSet(body), lifetimeMs };
  };
}

async function fromIssuer(
  { kind, at }: IssuerKeySource,
  read: ReadBelow,
  fetch: GuardedFetch,
): Promise<FetchedJwkSet> {
  // A copy of a file gets the shortest lifetime that the limits allow: a minute.
  if (kind === 'file') return { ...parseTrustBundle(await read(at)), lifetimeMs: 0 };
  const { body, lifetimeMs } = await fetch(kind === 'discovery' ? await discover(at, fetch) : at);
  if (kind !== 'bundle') return { jwks: parseJwkSet(body), lifetimeMs };
  const bundle = parseTrustBundle(body);
  return { ...bundle, lifetimeMs: bundle.lifetimeMs ?? lifetimeMs };
}

/** The `jwks_uri` in the metadata of this issuer (OpenID Connect Discovery §4, RFC 8414 §3). */
async function discover(issuer: string, fetch: GuardedFetch): Promise<string> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const { body } = await fetch(`${origin}${path}/.well-known/openid-configuration`).catch(
    async (error: unknown) => {
      if (!(error instanceof RemoteJwksUnavailable) || error.reason !== 'status_not_200')
        throw error;
      return fetch(`${origin}/.well-known/oauth-authorization-server${path}`);
    },
  );
  const metadata = parseJson(body);
  if (!isObject(metadata) || metadata['issuer'] !== issuer)
    throw new RemoteJwksUnavailable('metadata_not_of_issuer');
  // The fetch of this URI passes the same checks.
  return String(metadata['jwks_uri']);
}
