import { fill, record, type Succession } from './key-succession.ts';

/** Revokes a key and puts a successor in its place; false if nothing was revoked. */
export async function revokeSigningKey(keys: Succession, kid: string): Promise<boolean> {
  const { store, held, now } = keys;
  // What became of the key until now is recorded before its revocation.
  await record(keys);
  const revoked = held.stored().find((key) => key.kid === kid);
  if (revoked === undefined) return false;
  const event = { type: 'signing_key_revoked', actor: 'admin', detail: { kid } } as const;
  if (!(await store.revokeSigningKey(kid, now(), event))) return false;
  await held.read();
  await fill(keys, revoked.alg);
  await record(keys);
  return true;
}
