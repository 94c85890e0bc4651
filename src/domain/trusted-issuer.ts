import type { SigningAlgorithm } from '../jose/algorithms.ts';
import type { ListedClients, RegisteredJwk } from './client-registration.ts';
import type { IssuerKeySource } from './key-source.ts';

/** What the tokens of an issuer may be used for. */
export const trustPurposes = [
  /** Users' ID tokens are exchanged (RFC 8693 §2.1). */
  'id_token',
  /** Its tokens stand for workloads, by rules (RFC 7523 §2). */
  'workload',
  /** It vouches for users by identity assertion authorization grants. */
  'id_jag',
] as const;
export type TrustPurpose = (typeof trustPurposes)[number];

/** A set of keys by value. */
export interface JwksByValue {
  readonly keys: readonly RegisteredJwk[];
}

/**
 * An issuer whose tokens count here. Its keys come from one of `jwks`, `jwks_uri` and the three
 * `trust_bundle` members; without any of them, from its metadata (OpenID Connect Discovery §4,
 * RFC 8414 §3).
 */
export interface TrustedIssuer {
  readonly id: string;
  /** Compared exactly with `iss`; for SPIFFE, `spiffe://` and a trust domain. */
  readonly issuer: string;
  readonly purposes: readonly TrustPurpose[];
  /**
   * Every `aud` of its tokens must be among these, which are an app's names at an OpenID provider.
   * Absent: the issuer identifier of this server.
   */
  readonly audience?: string | readonly string[];
  readonly jwks?: JwksByValue;
  readonly jwks_uri?: string;
  /** A SPIFFE trust bundle: by value, from an https endpoint, or from a file. */
  readonly trust_bundle?: JwksByValue;
  readonly trust_bundle_uri?: string;
  readonly trust_bundle_file?: string;
  /** True: its keys may come from private and loopback addresses. */
  readonly allow_private_addresses?: boolean;
  /** The only trusted certificate authorities of the server with its keys, as PEM or as a file. */
  readonly ca?: string;
  readonly ca_file?: string;
  /** Absent: those of client assertions, and RS256. */
  readonly algorithms?: readonly SigningAlgorithm[];
  /** Maximum seconds from `iat` (else from now) to `exp`. Absent: a day. */
  readonly max_lifetime?: number;
  /** Clients that may exchange its ID tokens; absent: every client with the grant. */
  readonly clients?: readonly string[];
  /** The registrations that the names in `clients` meant when they were listed. */
  readonly listed: ListedClients;
  /** Prefix of its subjects, so that users of two providers cannot share a name. */
  readonly subject_prefix?: string;
}

/** The trust domain of a SPIFFE issuer or ID, as its issuer identifier; else undefined. */
export function trustDomainOf(spiffeId: string): string | undefined {
  return /^(spiffe:\/\/[a-z0-9._-]{1,255})(?:\/[A-Za-z0-9._/-]+)?$/.exec(spiffeId)?.[1];
}

/** Where the keys of an issuer are published; undefined if they are registered by value. */
export function keySourceOf(issuer: TrustedIssuer): IssuerKeySource | undefined {
  const { jwks, jwks_uri, trust_bundle, trust_bundle_uri, trust_bundle_file, ca, ca_file } = issuer;
  if (jwks !== undefined || trust_bundle !== undefined) return undefined;
  if (trust_bundle_file !== undefined) return { kind: 'file', at: trust_bundle_file };
  const network = {
    ...(issuer.allow_private_addresses === true && { allowPrivateAddresses: true }),
    ...(ca !== undefined && { ca: { pem: ca } }),
    ...(ca_file !== undefined && { ca: { file: ca_file } }),
  };
  if (trust_bundle_uri !== undefined) return { kind: 'bundle', at: trust_bundle_uri, ...network };
  if (jwks_uri !== undefined) return { kind: 'jwks', at: jwks_uri, ...network };
  return { kind: 'discovery', at: issuer.issuer, ...network };
}
