import type { AdditionalHolder } from '../../domain/additional-holder.ts';
import {
  type AuthenticatedClient,
  type ClientRegistration,
  names,
} from '../../domain/client-registration.ts';
import type { Grant } from '../../domain/grant.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import { agreesToShare, isAgreed, type PairingMode, withinPairing } from '../../domain/pairing.ts';
import type { Possession } from '../../domain/possession.ts';
import { recordedThumbprint } from '../../domain/proven-key.ts';
import { isSignedBy } from '../../jose/compact-jws.ts';
import type { PublicKey } from '../../jose/public-key.ts';
import type { Ports } from '../../ports/ports.ts';
import { registeredCertificateThumbprint } from '../client-keys/registered-certificate.ts';
import { type RegisteredKeys, refuseIfBusy } from '../client-keys/registered-keys.ts';
import {
  type CnfProofOptions,
  checkCnfProof,
  type ProofContext,
  readCnfProof,
  type UnverifiedCnfProof,
} from './cnf-proof.ts';
import { type RequestedHolder, readReqAltCnf } from './req-alt-cnf.ts';

/** Proves the additional holders that `req_alt_cnf` names; none without it. */
export type ProveAdditionalHolders = (
  request: OAuthRequest,
  client: AuthenticatedClient,
  grant: Grant,
  possession: Possession,
) => Promise<readonly AdditionalHolder[]>;

export interface AdditionalHoldersOptions
  extends Pick<Ports, 'clients' | 'pairings' | 'credentialUses' | 'clock'> {
  readonly keys: RegisteredKeys;
  readonly cnfProof: CnfProofOptions;
  readonly nonceRequired: boolean;
  /** Maximum additional holders. */
  readonly max: number;
  /** Seconds for which a registered key counts as proven after its last verified signature. */
  readonly registeredKeyMaxAge: number;
}

/**
 * Every additional holder proves its key and its consent, or consented by registration and has
 * proven its key before (docs/protocol.md). One failure refuses all. Reads only. Throws an
 * OAuthError.
 */
export function proveAdditionalHolders(options: AdditionalHoldersOptions): ProveAdditionalHolders {
  return async (request, { registration: requester }, grant, { boundKey }) => {
    const parameter = request.parameters.get('req_alt_cnf');
    if (parameter === undefined) return [];
    const requested = readReqAltCnf(parameter, options.max);
    const { resourceServer, scopes } = grant;
    if (requester.alt_cnf_holders === undefined) throw new OAuthError('alt_cnf_not_enabled');
    // The subject's client chose this actor, not the actor's own holders.
    if (grant.act !== undefined) throw new OAuthError('actor_may_not_share');
    if (resourceServer.alt_cnf_supported !== true && resourceServer.multi_key_form !== 'jwks')
      throw new OAuthError('alt_cnf_not_supported_by_audience');
    const context: ProofContext = {
      requester,
      boundKey,
      audience: resourceServer.audience,
      scopes,
      nonceRequired: options.nonceRequired || requester.dpop_nonce_required,
    };
    const holders: AdditionalHolder[] = [];
    for (const element of requested) {
      holders.push(
        element.clientId === undefined
          ? await byProof(element.proof, grant, context, options)
          : await byRegistration(element, grant, context, options),
      );
    }
    const clientIds = new Set([
      requester.client_id,
      ...holders.map(({ registration }) => registration.client_id),
    ]);
    const keys = new Set([recordedThumbprint(boundKey), ...holders.map(({ key }) => key.jkt)]);
    if (clientIds.size <= holders.length || keys.size <= holders.length)
      throw new OAuthError('holder_repeated');
    return holders;
  };
}

async function byProof(
  text: string,
  grant: Grant,
  context: ProofContext,
  options: AdditionalHoldersOptions,
): Promise<AdditionalHolder> {
  const proof = readCnfProof(text);
  const { registration, pairing } = await pairedHolder(proof.iss, 'proof', grant, context, options);
  const key = await signerOf(proof, registration, options);
  const { use, byCertificate } = checkCnfProof(proof, context, options.cnfProof);
  if (!byCertificate) return { registration, pairing, key, provenBy: 'cnf_proof', use };
  const thumbprint = registeredCertificateThumbprint(key);
  if (thumbprint === undefined) throw new OAuthError('cnf_proof_certificate_missing');
  return { registration, pairing, key, 'x5t#S256': thumbprint, provenBy: 'cnf_proof', use };
}

async function byRegistration(
  { clientId, kid }: Extract<RequestedHolder, { clientId: string }>,
  grant: Grant,
  context: ProofContext,
  options: AdditionalHoldersOptions,
): Promise<AdditionalHolder> {
  const { registration, pairing } = await pairedHolder(
    clientId,
    'registered_key',
    grant,
    context,
    options,
  );
  const key = await registeredKey(registration, kid, options);
  if (key === undefined) throw new OAuthError('alt_cnf_kid_unknown');
  // Publishing a key proves nothing; a verified signature does.
  const provenAt = await options.credentialUses.lastProven(registration.registration_id, key.jkt);
  if (provenAt === undefined || provenAt < options.clock() - options.registeredKeyMaxAge * 1000)
    throw new OAuthError('registered_key_not_proven');
  return { registration, pairing, key, provenBy: 'registration' };
}

/** The holder, if requester, holder and operator all allow it. Throws `unauthorized_client`. */
async function pairedHolder(
  clientId: string,
  form: PairingMode,
  grant: Grant,
  { requester, audience, scopes }: ProofContext,
  { clients, pairings }: AdditionalHoldersOptions,
): Promise<Pick<AdditionalHolder, 'registration' | 'pairing'>> {
  if (clientId === requester.client_id) throw new OAuthError('holder_is_requester');
  if (requester.alt_cnf_holders?.includes(clientId) !== true)
    throw new OAuthError('holder_not_listed');
  const holder = await clients.findClient(clientId);
  if (holder === undefined || holder.disabled) throw new OAuthError('holder_unknown_or_disabled');
  if (!names(requester.alt_cnf_holders, requester.listed, holder))
    throw new OAuthError('holder_not_listed');
  if (!agreesToShare(holder, requester, form)) throw new OAuthError('holder_does_not_agree');
  const pairing = await pairings.findPairing(requester.client_id, clientId);
  if (
    pairing === undefined ||
    !isAgreed(pairing, requester, holder) ||
    !withinPairing(pairing, audience, scopes)
  )
    throw new OAuthError('pairing_missing_or_exceeded');
  if (form === 'registered_key' && pairing.mode !== 'registered_key')
    throw new OAuthError('pairing_needs_proof');
  // The user never saw the holder, so only a first-party pairing is enough.
  if (grant.ofUser === true && !pairing.first_party)
    throw new OAuthError('pairing_not_first_party');
  return { registration: holder, pairing: pairing.consent };
}

/** The key that the holder signed with; `kid` is looked up among its own keys only. */
async function signerOf(
  { jws, kid }: UnverifiedCnfProof,
  holder: ClientRegistration,
  { keys, cnfProof: { algs } }: AdditionalHoldersOptions,
): Promise<PublicKey> {
  let known = false;
  const signer = await orHolderKeysUnavailable(async () =>
    keys.signer(holder, kid, (key) => {
      known = true;
      return isSignedBy(jws, key, algs);
    }),
  );
  if (signer === undefined)
    throw new OAuthError(known ? 'cnf_proof_signature_invalid' : 'cnf_proof_key_unknown');
  return signer;
}

async function registeredKey(
  holder: ClientRegistration,
  kid: string,
  { keys }: AdditionalHoldersOptions,
): Promise<PublicKey | undefined> {
  const [key, ...more] = await orHolderKeysUnavailable(() => keys.find(holder, kid));
  // A name that two keys share identifies neither.
  return more.length === 0 ? key : undefined;
}

/** Turns a failure to read a holder's keys into a refusal. */
async function orHolderKeysUnavailable<T>(keys: () => Promise<T>): Promise<T> {
  try {
    return await keys();
  } catch (cause) {
    refuseIfBusy(cause);
    throw new OAuthError('holder_keys_unavailable', { cause });
  }
}
