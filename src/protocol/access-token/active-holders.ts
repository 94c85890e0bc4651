import type { AccessTokenClaims } from '../../domain/access-token-claims.ts';
import { agreesToShare, isAgreed } from '../../domain/pairing.ts';
import type { PairedAtIssuance, TokenState } from '../../ports/issued-tokens.ts';
import type { Ports } from '../../ports/ports.ts';
import { registeredCertificateThumbprint } from '../client-keys/registered-certificate.ts';
import { type RegisteredKeys, refuseIfBusy } from '../client-keys/registered-keys.ts';
import { thumbprints } from './confirmed-thumbprints.ts';

/** The additional holders whose keys still confirm a token: `client_id` to thumbprints. */
export type ActiveHolders = (
  claims: AccessTokenClaims,
  state: Pick<TokenState, 'pairedAtIssuance'>,
) => Promise<ReadonlyMap<string, readonly string[]>>;

export interface ActiveHoldersOptions
  extends Pick<Ports, 'currentClients' | 'pairings' | 'withdrawnHolders'> {
  readonly keys: RegisteredKeys;
}

/**
 * An additional holder is active while its pairing is active, both clients still allow it, its key
 * is registered, and it has not withdrawn (docs/protocol.md). A token with one key needs no
 * look-up.
 */
export function activeHolders({
  currentClients: clients,
  pairings,
  withdrawnHolders,
  keys,
}: ActiveHoldersOptions): ActiveHolders {
  const isLive = async (
    claims: AccessTokenClaims,
    holder: string,
    named: readonly string[],
    { pairing: pairedBy, form = 'proof' }: Partial<PairedAtIssuance>,
  ): Promise<boolean> => {
    const [owner, registration, pairing] = await Promise.all([
      clients.findClient(claims.client_id),
      clients.findClient(holder),
      pairings.findPairing(claims.client_id, holder),
    ]);
    if (owner === undefined || registration === undefined || registration.disabled) return false;
    if (!agreesToShare(registration, owner, form)) return false;
    // A later pairing of the same two clients does not restore a revoked one.
    if (pairing === undefined || pairing.consent !== pairedBy) return false;
    if (!isAgreed(pairing, owner, registration)) return false;
    // A key set that cannot be read confirms nothing (fail closed).
    const isRegistered = (thumbprint: string) =>
      keys
        .holds(
          registration,
          (key) => key.jkt === thumbprint || registeredCertificateThumbprint(key) === thumbprint,
        )
        .catch((cause: unknown) => {
          refuseIfBusy(cause);
          return false;
        });
    return (await Promise.all(named.map(isRegistered))).every(Boolean);
  };
  return async (claims, { pairedAtIssuance }) => {
    const entries = additionalHolders(claims);
    if (entries.size === 0) return entries;
    const withdrawn = new Set(await withdrawnHolders.withdrawnFrom(claims.jti));
    const live = new Map<string, readonly string[]>();
    for (const [holder, named] of entries)
      if (
        !withdrawn.has(holder) &&
        (await isLive(claims, holder, named, pairedAtIssuance.get(holder) ?? {}))
      )
        live.set(holder, named);
    return live;
  };
}

/** Maps the `client_id` of each additional holder in a token, in either form, to thumbprints. */
export function additionalHolders({
  client_id,
  cnf,
  alt_cnf,
}: AccessTokenClaims): ReadonlyMap<string, readonly string[]> {
  const entries = new Map<string, readonly string[]>();
  for (const entry of alt_cnf ?? [])
    entries.set(entry.client_id, thumbprints(entry.cnf, entry.client_id));
  if (cnf.jwks !== undefined)
    for (const { client_id: holder, kid } of cnf.jwks.keys)
      if (holder !== undefined && holder !== client_id && kid !== undefined)
        entries.set(holder, [kid]);
  return entries;
}

/** `cnf` and `alt_cnf` of a token with only these additional holders. */
export function bindingOf(
  { cnf, alt_cnf, client_id }: AccessTokenClaims,
  live: ReadonlyMap<string, unknown>,
): Pick<AccessTokenClaims, 'cnf' | 'alt_cnf'> {
  if (cnf.jwks !== undefined) {
    const keys = cnf.jwks.keys.filter(
      ({ client_id: holder }) => holder === client_id || (holder !== undefined && live.has(holder)),
    );
    return { cnf: { jwks: { keys } } };
  }
  const left = alt_cnf?.filter((entry) => live.has(entry.client_id)) ?? [];
  return { cnf, ...(left.length > 0 && { alt_cnf: left }) };
}
