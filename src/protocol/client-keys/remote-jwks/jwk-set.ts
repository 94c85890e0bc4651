import { JoseError } from '../../../jose/jose-error.ts';
import { importedKeyBytes } from '../../../jose/key-bytes.ts';
import { parseStrictJson } from '../../../jose/strict-json.ts';
import { RemoteJwksUnavailable } from './unavailable.ts';

/** A JWK Set in its outer form (RFC 7517 §5): its keys are objects that are not checked yet. */
export interface JwkSetDocument {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** A JWK Set as fetched, and the freshness lifetime of its response, in milliseconds. */
export interface FetchedJwkSet {
  readonly jwks: JwkSetDocument;
  readonly lifetimeMs: number | undefined;
}

/** Fetches a JWK Set once. Throws only `RemoteJwksUnavailable`. */
export type FetchJwkSet<Source = string> = (source: Source) => Promise<FetchedJwkSet>;

/** More keys than any client rotates through; checking each one takes time. */
export const maxKeys = 50;

/** Size in bytes of a set and its imported keys; `text` is the set as JSON. */
export function bytesOf({ keys }: JwkSetDocument, text: string): number {
  return text.length * 6 + keys.length * importedKeyBytes;
}

/** Maximum levels of nesting; metadata has members that do not concern us. */
const maxDepth = 32;

/** Whether this is a JSON object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Parses a JSON object that can be stored, without repeated members, which others may read
 * differently; undefined for other JSON. Throws `RemoteJwksUnavailable`.
 */
export function parseJson(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    return parseStrictJson(new TextDecoder('utf-8', { fatal: true }).decode(body), maxDepth);
  } catch (fault) {
    if (fault instanceof JoseError && fault.reason === 'not_an_object') return undefined;
    throw new RemoteJwksUnavailable('body_not_json');
  }
}

/** Reads a JWK Set of at most 50 keys, not checked yet. Throws `RemoteJwksUnavailable`. */
export function parseJwkSet(body: Uint8Array): JwkSetDocument {
  return readJwkSet(parseJson(body));
}

function readJwkSet(document: unknown): JwkSetDocument {
  if (!isObject(document)) throw new RemoteJwksUnavailable('body_not_jwk_set');
  const keys: unknown = document['keys'];
  if (!Array.isArray(keys) || keys.length > maxKeys || !keys.every(isObject))
    throw new RemoteJwksUnavailable('body_not_jwk_set');
  return { keys };
}

/**
 * Reads a SPIFFE trust bundle: a JWK Set whose keys state their purpose in `use`, and which may
 * have a refresh interval (SPIFFE Trust Domain and Bundle §4). Throws `RemoteJwksUnavailable`.
 */
export function parseTrustBundle(body: Uint8Array): FetchedJwkSet {
  const document = parseJson(body);
  const jwks = trustBundleKeys(readJwkSet(document));
  const { spiffe_refresh_hint: hint } = document as { readonly spiffe_refresh_hint?: unknown };
  return { jwks, lifetimeMs: typeof hint === 'number' && hint >= 0 ? hint * 1000 : undefined };
}

/**
 * The keys of a trust bundle, with standard `use` values; those without a SPIFFE one are omitted.
 */
export function trustBundleKeys({ keys }: JwkSetDocument): JwkSetDocument {
  const kept = keys.filter(({ use }) => use === 'jwt-svid' || use === 'x509-svid');
  return { keys: kept.map((jwk) => (jwk['use'] === 'jwt-svid' ? { ...jwk, use: 'sig' } : jwk)) };
}
