import { type ClientRegistration, type Identity, names } from './client-registration.ts';

/** How an additional holder is proven: by a fresh `cnf-proof+jwt`, or also by a registered key. */
export const pairingModes = ['proof', 'registered_key'] as const;
export type PairingMode = (typeof pairingModes)[number];

/** Two clients whose keys may be in one token: the requester obtains it, both may present it. */
export interface Pairing {
  readonly id: string;
  /** `client_id` of the client that requests tokens. */
  readonly requester: string;
  /** `client_id` of the client whose key may be added. */
  readonly holder: string;
  /** `registration_id` of the two; later registrations with their names are different ones. */
  readonly requesterId: string;
  readonly holderId: string;
  /** Tokens refer to it; changed if the requester unlists the holder, so they stay inactive. */
  readonly consent: string;
  readonly mode: PairingMode;
  /** True: both belong to the operator, so a user's token may be shared without a consent page. */
  readonly first_party: boolean;
  /** Maximum scope of a token with both keys, space-separated; absent: the requester's. */
  readonly scope?: string;
  /** Audiences of tokens with both keys; absent: all resource servers that know several keys. */
  readonly resources?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Milliseconds since the epoch; from then on the pairing cannot be used. */
  readonly revokedAt?: number;
  /** What created it, if not a single request. */
  readonly managedBy?: string;
}

/** A pairing to create; the store finds the registrations that the two names stand for. */
export type NewPairing = Omit<Pairing, 'requesterId' | 'holderId' | 'consent'>;

/** Whether a pairing is of these two registrations. */
export function isPairingOf(
  { requesterId, holderId }: Pairing,
  requester: Identity,
  holder: Identity,
): boolean {
  return requesterId === requester.registration_id && holderId === holder.registration_id;
}

/** Whether a pairing is of these two registrations, and the requester lists the holder. */
export function isAgreed(
  pairing: Pairing,
  requester: ClientRegistration,
  holder: Identity,
): boolean {
  return (
    isPairingOf(pairing, requester, holder) &&
    names(requester.alt_cnf_holders ?? [], requester.listed, holder)
  );
}

/** Whether the holder's registration allows this form; without a list it allows a fresh proof. */
export function agreesToShare(
  { alt_cnf_requesters, alt_cnf_registered_key, listed }: ClientRegistration,
  requester: Identity,
  form: PairingMode,
): boolean {
  if (form === 'proof' && alt_cnf_requesters === undefined) return true;
  if (form === 'registered_key' && alt_cnf_registered_key !== true) return false;
  return names(alt_cnf_requesters ?? [], listed, requester);
}

/** Whether a token of this audience and scope lies within the limits of a pairing. */
export function withinPairing(
  { scope, resources }: Pairing,
  audience: string,
  scopes: readonly string[],
): boolean {
  const allowed = scope?.split(' ');
  return (
    (resources?.includes(audience) ?? true) &&
    (allowed === undefined || scopes.every((wanted) => allowed.includes(wanted)))
  );
}
