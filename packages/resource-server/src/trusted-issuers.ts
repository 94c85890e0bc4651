import type { AccessTokenSigningAlgorithm } from '../../../src/jose/algorithms.ts';
import {
  isSignedBy,
  type JwsLimits,
  type ParsedJws,
  parseCompactJws,
} from '../../../src/jose/compact-jws.ts';
import { type Introspect, introspection } from './introspection.ts';
import { type IssuerKeys, issuerKeys } from './issuer-keys.ts';
import type { IssuerOptions, ResourceServerOptions } from './options.ts';
import type { Reason } from './reasons.ts';
import { invalidToken, type Refused } from './refusal.ts';

/** A trusted issuer with its keys. */
export interface Issuer extends Omit<IssuerOptions, 'introspection'> {
  readonly keys: IssuerKeys;
  /** Only if the issuer is asked about every request. */
  readonly introspect?: Introspect;
}

/** Trusted issuers by identifier, which must equal `iss`. */
export type TrustedIssuers = ReadonlyMap<unknown, Issuer>;

/** Limits of an access token, whose payload may contain several keys. */
const limits: JwsLimits = { header: 1024, payload: 16_384, signature: 6400 };

/** Reads the trusted issuers from the options. */
export function trustedIssuers({
  issuer,
  clock = Date.now,
  fetch = globalThis.fetch,
  cache,
  onFetchFailure,
}: ResourceServerOptions): TrustedIssuers {
  const listed = Array.isArray(issuer)
    ? (issuer as readonly (string | IssuerOptions)[])
    : [issuer as string | IssuerOptions];
  const issuers = listed.map((one) => {
    const trusted = typeof one === 'string' ? { issuer: one } : one;
    const { jwksUri, introspection: account, ...rest } = trusted;
    const fetching = {
      issuer: trusted.issuer,
      fetch,
      ...(onFetchFailure !== undefined && { onFetchFailure }),
    };
    const keys = issuerKeys({
      ...fetching,
      clock,
      ...(jwksUri !== undefined && { jwksUri }),
      ...(cache !== undefined && { cache }),
    });
    return {
      ...rest,
      keys,
      ...(account !== undefined && { introspect: introspection(account, fetching) }),
    };
  });
  return new Map(issuers.map((trusted) => [trusted.issuer, trusted]));
}

/** Verifies that a trusted issuer signed the token. Throws Refused. */
export async function signedByIssuer(
  token: string,
  issuers: TrustedIssuers,
  algs: readonly AccessTokenSigningAlgorithm[],
): Promise<{ readonly jws: ParsedJws; readonly issuer: Issuer }> {
  let jws: ParsedJws;
  try {
    jws = parseCompactJws(token, limits);
  } catch (cause) {
    throw refusedToken('token_malformed', cause);
  }
  const issuer = issuers.get(jws.payload['iss']);
  if (issuer === undefined) throw refusedToken('token_issuer_not_trusted');
  const { kid } = jws.header;
  let known = false;
  const signer =
    typeof kid === 'string'
      ? await issuer.keys.signingKey(kid, (key) => {
          known = true;
          return isSignedBy(jws, key, algs);
        })
      : undefined;
  if (signer === undefined)
    throw refusedToken(known ? 'token_signature_invalid' : 'token_key_unknown');
  return { jws, issuer };
}

function refusedToken(reason: Reason, cause?: unknown): Refused {
  return invalidToken(
    'the access token was not issued for this resource server by a trusted issuer',
    reason,
    cause,
  );
}
