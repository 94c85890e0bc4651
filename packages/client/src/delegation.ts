import { randomJti, sha256 } from './base64url.ts';
import { HolderError } from './holder-error.ts';
import { signedJwt } from './jws.ts';
import type { HolderKey } from './keys/holder-key.ts';

/** The target of a delegation: the actor, its key, and the resource server. */
export interface DelegationRequest {
  readonly clientId: string;
  /** Thumbprint of the actor's key; undefined if its tokens are bound to a certificate. */
  readonly thumbprint?: string | undefined;
  /** `x5t#S256` of the actor's certificate (RFC 8705 §3.1). */
  readonly certificateThumbprint?: string | undefined;
  /** Audience of the token that the actor gets. */
  readonly resource?: string | undefined;
}

/** An access token, and the proof by its key that lets one actor use it once. */
export interface DelegatedToken {
  readonly subjectToken: string;
  /** A `subject-token-proof+jwt`. */
  readonly subjectTokenProof: string;
}

/** The party an actor acts for: a holder in this process, or a function that asks one elsewhere. */
export type Delegator =
  | { proveDelegation(request: DelegationRequest): Promise<DelegatedToken> }
  | ((request: DelegationRequest) => Promise<DelegatedToken>);

/** Seconds for which a proof is valid. */
const lifetime = 120;

/** A `subject-token-proof+jwt` by the key of `token`; `now` in seconds. Throws HolderError. */
export async function subjectTokenProof(
  token: string,
  { clientId, thumbprint, certificateThumbprint, resource }: DelegationRequest,
  { key, issuer, now }: { readonly key: HolderKey; readonly issuer: string; readonly now: number },
): Promise<string> {
  const cnf =
    certificateThumbprint === undefined
      ? { jkt: thumbprint }
      : { 'x5t#S256': certificateThumbprint };
  if (clientId === '' || Object.values(cnf)[0] === undefined || resource === undefined)
    throw new HolderError(
      'invalid_options',
      'proveDelegation needs clientId and thumbprint of the actor, and a resource',
    );
  return signedJwt(
    { typ: 'subject-token-proof+jwt', jwk: key.publicJwk },
    {
      aud: issuer,
      client_id: clientId,
      cnf,
      ath: await sha256(token),
      resource,
      iat: now,
      exp: now + lifetime,
      jti: randomJti(),
    },
    key,
  );
}

/** Parameters of a token exchange in which the actor acts for another party (RFC 8693 §2.1). */
export async function delegationParameters(
  delegator: Delegator,
  request: DelegationRequest,
  actorToken: string,
): Promise<{ parameters: Record<string, string>; boundToken: string }> {
  const { subjectToken, subjectTokenProof: proof } =
    typeof delegator === 'function'
      ? await delegator(request)
      : await delegator.proveDelegation(request);
  const type = 'urn:ietf:params:oauth:token-type:access_token';
  return {
    parameters: {
      subject_token: subjectToken,
      subject_token_type: type,
      subject_token_proof: proof,
      actor_token: actorToken,
      actor_token_type: type,
    },
    boundToken: actorToken,
  };
}
