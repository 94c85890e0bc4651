import { type AccessTokenClaims, accessTokenClaims } from '../../domain/access-token-claims.ts';
import type { AdditionalHolder } from '../../domain/additional-holder.ts';
import { commonAudiences } from '../../domain/audience-limit.ts';
import type { Binding } from '../../domain/binding.ts';
import type { AuthenticatedClient } from '../../domain/client-registration.ts';
import { tokenTypeOf } from '../../domain/confirmation.ts';
import { defined } from '../../domain/defined.ts';
import type { Grant } from '../../domain/grant.ts';
import type { TokenResponse } from '../../domain/oauth-request.ts';
import type { Possession } from '../../domain/possession.ts';
import type { SigningKey } from '../../domain/signing-key.ts';
import { timeOrderedId } from '../../domain/time-ordered-id.ts';
import type { AccessTokenSigningAlgorithm } from '../../jose/algorithms.ts';
import type { Ports } from '../../ports/ports.ts';
import type { NextStatusEntry } from '../status-list/status-entries.ts';
import type { ClaimKey } from './claim-key.ts';
import { commitIssuance } from './commit-issuance.ts';
import { issuanceRecord, mayActUnder } from './issuance-record.ts';

/**
 * The step of the token endpoint that writes. All uses and the record are one commit; an index of a
 * status list and the claim of a platform token are written before it (docs/architecture.md).
 */
export type IssueAccessToken = (
  client: AuthenticatedClient,
  grant: Grant,
  possession: Possession,
  binding: Binding,
  holders: readonly AdditionalHolder[],
) => Promise<{ readonly response: TokenResponse; readonly jti: string }>;

export interface IssueAccessTokenOptions extends Pick<Ports, 'issuances' | 'pairings' | 'clock'> {
  readonly issuer: string;
  /** Maximum lifetime in seconds of a token that names several keys. */
  readonly severalKeysMaxLifetime: number;
  /** The current signing key for this algorithm. Throws if there is none. */
  readonly signingKey: (alg: AccessTokenSigningAlgorithm) => Promise<SigningKey>;
  readonly statusEntry: NextStatusEntry;
  /** Claims the platform tokens that the request relies on for its key. */
  readonly claimKey: ClaimKey;
  /** The URI of a status list. */
  readonly statusListUri: (list: string) => string;
}

/** Marks every single use and issues the token. Throws an OAuthError for a replay. */
export function issueAccessToken(options: IssueAccessTokenOptions): IssueAccessToken {
  const {
    issuances,
    pairings,
    clock,
    issuer,
    signingKey,
    severalKeysMaxLifetime,
    statusEntry,
    statusListUri,
    claimKey,
  } = options;
  return async (client, grant, possession, binding, holders) => {
    // Get the key first: a server that cannot sign must not use up the client's proofs.
    const key = await signingKey(grant.resourceServer.access_token_signing_alg);
    const entry = await statusEntry(grant.resourceServer, key.kid);
    const now = clock();
    const jti = timeOrderedId(now);
    const { access_token_lifetime } = grant.resourceServer;
    const lifetime = Math.min(
      access_token_lifetime,
      ...[client.byRule?.maxLifetime, grant.byRule?.maxLifetime].filter(
        (most) => most !== undefined,
      ),
      ...(holders.length === 0 ? [] : [severalKeysMaxLifetime]),
    );
    const claims: AccessTokenClaims = {
      ...accessTokenClaims(
        issuer,
        client.registration,
        grant,
        binding,
        jti,
        Math.floor(now / 1000),
        lifetime,
      ),
      ...(entry !== undefined && {
        status: { status_list: { idx: entry.idx, uri: statusListUri(entry.list) } },
      }),
    };
    const mayAct = await mayActUnder(claims, pairings);
    const audiences = commonAudiences(
      client.byRule?.audiences,
      grant.byRule?.audiences,
      grant.audiences,
      possession.subject?.audiences,
    );
    const record = issuanceRecord(client, grant, claims, possession, holders, {
      // Recorded, because it is known only now: registrations may change.
      ...(grant.ofUser === true && { of_user: true }),
      ...(grant.ofWorkload === true && { of_workload: true }),
      ...(mayAct.length > 0 && { may_act: mayAct }),
      ...(entry !== undefined && { status: entry }),
      ...defined({ pairings: grant.pairings, audiences }),
    });
    await claimKey(client, grant, possession.boundKey);
    // Introspection needs the record before the client has the token. Signing runs in parallel.
    const committed = commitIssuance(issuances, record, client, grant, possession, holders);
    const [accessToken] = await Promise.all([key.signJwt('at+jwt', claims), committed]);
    return { response: tokenResponse(accessToken, claims, grant, binding), jti };
  };
}

function tokenResponse(
  accessToken: string,
  { iat, exp, scope }: AccessTokenClaims,
  { issuedTokenType }: Grant,
  { cnf, cnfForClient, alt_cnf }: Binding,
): TokenResponse {
  const tokenType = tokenTypeOf(cnf);
  return {
    access_token: accessToken,
    token_type: tokenType,
    expires_in: exp - iat,
    ...(scope !== undefined && { scope }),
    ...(issuedTokenType !== undefined && { issued_token_type: issuedTokenType }),
    // Sent if `token_type` does not show the binding, or an exchange may have changed it.
    ...((tokenType === 'PoP' || issuedTokenType !== undefined) && { cnf: cnfForClient ?? cnf }),
    ...(alt_cnf !== undefined && { alt_cnf }),
  };
}
