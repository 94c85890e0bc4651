import type { AdditionalHolder } from '../../domain/additional-holder.ts';
import {
  type AuthenticatedClient,
  type ClientRegistration,
  signatureJwks,
} from '../../domain/client-registration.ts';
import type { Possession } from '../../domain/possession.ts';
import type { PublicKey } from '../../jose/public-key.ts';
import type { Ports } from '../../ports/ports.ts';

/** Milliseconds for which a recorded proof is not recorded again. */
const precision = 60_000;

/** Maximum keys remembered as recorded; beyond that all are forgotten and recorded again. */
const maxRemembered = 10_000;

/** The step of the token endpoint after the issuance. Never fails, because the token exists. */
export type RecordProvenKeys = (
  client: AuthenticatedClient,
  possession: Pick<Possession, 'boundKey'>,
  holders: readonly AdditionalHolder[],
) => Promise<void>;

/** Stores for proven keys, and where a failure to write is reported. */
export interface RecordProvenKeysOptions
  extends Pick<Ports, 'credentialUses' | 'noteUse' | 'clock'> {
  readonly onFailure: (client: AuthenticatedClient, fault: unknown) => void;
}

/**
 * Records which registered keys a token request proved, for the operator and for clients whose keys
 * need no fresh proof to be added to tokens. It runs after the commit because evidence can be a
 * copy until its `jti` is marked as used.
 */
export function recordProvenKeys(options: RecordProvenKeysOptions): RecordProvenKeys {
  const { credentialUses, noteUse, clock, onFailure } = options;
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
  return async (client, { boundKey: { key } }, holders) => {
    const { registration, assertion } = client;
    const byProof = holders.filter(({ provenBy }) => provenBy === 'cnf_proof');
    const isByValue = key !== undefined && isRegistered(key, registration);
    if (assertion !== undefined) note(registration, assertion.key, noteUse);
    // The client chooses the `kid` of a proof, so it is not recorded.
    if (isByValue) noteUse(registration.registration_id, 'registered_key', key.jkt);
    for (const holder of byProof) {
      note(holder.registration, holder.key, noteUse);
      const certificate = holder['x5t#S256'];
      if (certificate !== undefined)
        noteUse(holder.registration.registration_id, 'certificate', certificate);
    }
    try {
      // A client may create a key for every request; only a registered one is useful later.
      if (key !== undefined && (isByValue || registration.jwks_uri !== undefined))
        await remember(registration, key.jkt);
      if (assertion !== undefined) await remember(registration, assertion.key.jkt);
      for (const holder of byProof) await remember(holder.registration, holder.key.jkt);
    } catch (fault) {
      onFailure(client, fault);
    }
  };
}

function note(
  { registration_id }: ClientRegistration,
  { jkt, kid }: PublicKey,
  noteUse: Ports['noteUse'],
): void {
  noteUse(registration_id, 'registered_key', jkt, kid);
}

/** Whether the key is registered by value. Both were normalized, so one key has one spelling. */
function isRegistered({ jwk }: PublicKey, client: ClientRegistration): boolean {
  return (
    client.jwks !== undefined &&
    signatureJwks(client).some((registered) =>
      Object.entries(jwk).every(([name, value]) => registered[name] === value),
    )
  );
}
