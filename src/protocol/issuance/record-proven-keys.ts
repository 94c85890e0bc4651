import { type ClientRegistration, signatureJwks } from '../../domain/client-registration.ts';
import type { PublicKey } from '../../jose/public-key.ts';
import type { Ports } from '../../ports/ports.ts';
import type { IssueAccessToken } from './issue-access-token.ts';

/** Milliseconds for which a recorded proof is not recorded again. */
const precision = 60_000;

/** Keys remembered as recorded; beyond that all are forgotten, and merely recorded once more. */
const maxRemembered = 10_000;

/**
 * Records which registered keys a token request proved (`proven_at`), for clients that let such keys be added to tokens without a fresh
 * proof, and notes for the operator which were used. Only now that their `jti` is spent can no evidence be a copy.
 */
export function recordProvenKeys(
  issue: IssueAccessToken,
  { credentialUses, noteUse, clock }: Pick<Ports, 'credentialUses' | 'noteUse' | 'clock'>,
): IssueAccessToken {
  const recorded = new Map<string, number>();
  const remember = async (
    { registration_id, alt_cnf_registered_key }: ClientRegistration,
    jkt: string,
  ) => {
    if (alt_cnf_registered_key !== true) return;
    const name = JSON.stringify([registration_id, jkt]);
    const now = clock();
    if (now < (recorded.get(name) ?? 0) + precision) return;
    await credentialUses.markProven(registration_id, jkt, now);
    if (recorded.size >= maxRemembered) recorded.clear();
    recorded.set(name, now);
  };
  const note = (
    { registration_id }: ClientRegistration,
    { jkt, kid }: PublicKey,
    certificate?: string,
  ) => {
    noteUse(registration_id, 'registered_key', jkt, kid);
    if (certificate !== undefined) noteUse(registration_id, 'certificate', certificate);
  };
  return async (client, grant, possession, binding, holders) => {
    const issued = await issue(client, grant, possession, binding, holders);
    const { registration, assertion } = client;
    if (assertion !== undefined) note(registration, assertion.key);
    const { key } = possession.boundKey;
    // Its kid is whatever the proof says.
    if (key !== undefined && isRegistered(key, registration))
      noteUse(registration.registration_id, 'registered_key', key.jkt);
    for (const holder of holders)
      if (holder.provenBy === 'cnf_proof')
        note(holder.registration, holder.key, holder['x5t#S256']);
    // A client may make a key for every request: only what is registered can be counted upon later.
    if (
      key !== undefined &&
      (registration.jwks_uri !== undefined || isRegistered(key, registration))
    )
      await remember(registration, key.jkt);
    if (assertion !== undefined) await remember(registration, assertion.key.jkt);
    for (const holder of holders)
      if (holder.provenBy === 'cnf_proof') await remember(holder.registration, holder.key.jkt);
    return issued;
  };
}

/** Whether the key is registered by value. Both have passed the gate, so one key has one spelling. */
function isRegistered({ jwk }: PublicKey, client: ClientRegistration): boolean {
  return (
    client.jwks !== undefined &&
    signatureJwks(client).some((registered) =>
      Object.entries(jwk).every(([name, value]) => registered[name] === value),
    )
  );
}
