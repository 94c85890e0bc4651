import type { StoredSigningKey } from '../ports/signing-key-store.ts';
import { fill, latestKey, record, type Succession, soonest, succeed } from './key-succession.ts';

/** Revokes a key and puts a successor in its place; false if nothing was revoked. */
export async function revokeSigningKey(keys: Succession, kid: string): Promise<boolean> {
  const { store, held, now } = keys;
  // Earlier state changes of the key are recorded before its revocation.
  await record(keys);
  const revoked = held.stored().find((key) => key.kid === kid);
  if (revoked === undefined) return false;
  await prepareSuccessor(keys, revoked);
  const event = { type: 'signing_key_revoked', actor: 'admin', detail: { kid } } as const;
  if (!(await store.revokeSigningKey(kid, now(), event))) return false;
  await held.read();
  await fill(keys, revoked.alg);
  await record(keys);
  return true;
}

/**
 * Creates a successor before the only signing key is revoked: creating an RSA key can take seconds,
 * in which no replica could sign. A fault here does not stop the revocation; `fill` retries
 * afterwards and reports it.
 */
async function prepareSuccessor(
  keys: Succession,
  { kid, alg, activeAt }: StoredSigningKey,
): Promise<void> {
  const signs = keys.held.signing(alg)?.key.kid === kid;
  if (!signs || latestKey(keys, alg)?.kid !== kid) return;
  // Never earlier than the key itself, which a replica whose clock is ahead may have created.
  const from = Math.max(soonest(keys, alg), activeAt);
  await succeed(keys, alg, from).catch(() => undefined);
}
