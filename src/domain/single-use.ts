import { hash } from 'node:crypto';

/**
 * Things that count once. Uses are marked in store/tables/sql-replay.ts, or with Redis in
 * store/redis/redis-replay.ts.
 */
export type SingleUseKind =
  | 'dpop_proof'
  | 'client_assertion'
  | 'pop_proof'
  | 'cnf_proof'
  | 'subject_token_proof'
  | 'id_token'
  | 'id_jag';

/** Seconds since the epoch. */
export interface Acceptable {
  readonly from: number;
  readonly until: number;
}

/**
 * Names one use of `jti`. The parts go through JSON so that different lists never give the same
 * text; the hash bounds what is stored (RFC 9449 §11.1).
 * @param owner thumbprint of the key or `client_id`; `jti`s of different owners never collide
 * @param target the `htu` for a proof, empty otherwise
 * @param acceptable first and last second since the epoch at which it can be accepted
 */
export function singleUse(
  kind: SingleUseKind,
  owner: string,
  target: string,
  jti: string,
  acceptable: Acceptable,
): SingleUse {
  const key = hash('sha256', JSON.stringify([kind, owner, target, jti]), 'base64url');
  return {
    key,
    expiresAt: Math.ceil(acceptable.until),
    acceptableFrom: Math.floor(acceptable.from),
  };
}

/** One use of something that counts once: a DPoP proof, a client assertion. */
export interface SingleUse {
  /** base64url SHA-256 over kind, owner, target and `jti`: 43 characters. */
  readonly key: string;
  /** Seconds since the epoch until which the record must be kept. */
  readonly expiresAt: number;
  /** Seconds since the epoch from which it could have been accepted. */
  readonly acceptableFrom: number;
}
