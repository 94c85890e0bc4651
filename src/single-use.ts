import { createHash } from 'node:crypto';
import type { SingleUse } from './ports.ts';

/** What counts once. */
export type SingleUseKind = 'dpop_proof' | 'client_assertion' | 'cnf_proof';

/**
 * Names one use of `jti`. The parts go through JSON so that no two different lists give the same text;
 * the hash bounds what is stored (RFC 9449 §11.1).
 * @param owner thumbprint of the key or `client_id`; `jti`s of different owners never collide
 * @param target the `htu` for a proof, empty otherwise
 * @param expiresAt seconds since the epoch until which the thing could be accepted
 */
export function singleUse(kind: SingleUseKind, owner: string, target: string, jti: string, expiresAt: number): SingleUse {
  const key = createHash('sha256')
    .update(JSON.stringify([kind, owner, target, jti]))
    .digest('base64url');
  return { key, expiresAt: Math.ceil(expiresAt) };
}
