import type { AuthenticatedClient, ClientRegistration } from '../../domain/client-registration.ts';
import type { Clock } from '../../domain/clock.ts';
import type { Grant } from '../../domain/grant.ts';
import { namingKey, OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import type { Possession } from '../../domain/possession.ts';
import { type ProvenKey, recordedThumbprint } from '../../domain/proven-key.ts';
import type { PublicKey } from '../../jose/public-key.ts';
import type { DpopProof } from './dpop.ts';
import { checkPlatformToken, checkPresenter } from './presenter.ts';
import { type NamedKey, readReqCnf } from './req-cnf.ts';
import type { CheckSubjectTokenProof } from './subject-token-proof.ts';

/** The step of the token endpoint that finds the key to bind. Reads only. */
export type ProvePossession = (
  request: OAuthRequest,
  client: AuthenticatedClient,
  grant: ProvenFor,
) => Promise<Possession>;

/** What a grant requires of the proven keys. */
type ProvenFor = Pick<Grant, 'presentedBy' | 'byRule' | 'subjectProof'>;

/** The enabled ways to prove a key. */
export interface PossessionMechanisms {
  readonly dpop: (fields: readonly string[], method: string, nonceRequired: boolean) => DpopProof;
  /** True: every client needs a nonce in its proof. */
  readonly nonceRequired: boolean;
  readonly clock: Clock;
  readonly subjectTokenProof: CheckSubjectTokenProof;
  /** The registered key of the client with this `kid` that was proven, if there is one. */
  readonly registeredKey: (
    client: ClientRegistration,
    kid: string,
    proven: (key: PublicKey) => boolean,
  ) => Promise<PublicKey | undefined>;
}

/**
 * Collects the keys proven in this request and chooses the one to bind: the key that `req_cnf`
 * names, else the only one. Without a proven key there is no token. Throws an OAuthError, which
 * names the first key that was proven.
 */
export function provePossession(mechanisms: PossessionMechanisms): ProvePossession {
  return async (request, client, grant) => {
    const proof = dpopProof(request, client.registration, mechanisms);
    let proven: ProvenKey | undefined = proof;
    try {
      const keys = provenKeys(request, client, proof, mechanisms.clock());
      [proven] = keys;
      proven = await keyToBind(request, client, grant, { keys, proof }, mechanisms);
      return possessionOf(request, client, grant, { boundKey: proven, proof }, mechanisms);
    } catch (thrown) {
      throw namingKey(thrown, proven);
    }
  };
}

/** Chooses the key to bind from those that were proven. */
async function keyToBind(
  request: OAuthRequest,
  client: AuthenticatedClient,
  { presentedBy, byRule }: ProvenFor,
  { keys, proof }: { readonly keys: readonly ProvenKey[]; readonly proof: DpopProof | undefined },
  mechanisms: PossessionMechanisms,
): Promise<ProvenKey> {
  if (keys.length === 0 && presentedBy !== undefined)
    throw new OAuthError(`${presentedBy.token}_key_mismatch`);
  const reqCnf = request.parameters.get('req_cnf');
  const chosen =
    reqCnf === undefined
      ? onlyKey(keys)
      : await namedKey(readReqCnf(reqCnf), keys, client.registration, mechanisms);
  if (presentedBy !== undefined) checkPresenter(presentedBy, chosen, proof?.ath);
  for (const by of [client.byRule, byRule]) checkPlatformToken(by?.token, chosen);
  return chosen;
}

function possessionOf(
  { parameters }: OAuthRequest,
  { registration, assertion }: AuthenticatedClient,
  { subjectProof }: ProvenFor,
  { boundKey, proof }: { readonly boundKey: ProvenKey; readonly proof: DpopProof | undefined },
  mechanisms: PossessionMechanisms,
): Possession {
  const { client_id: clientId } = registration;
  const subject =
    subjectProof && mechanisms.subjectTokenProof(subjectProof, { clientId, boundKey });
  return {
    boundKey,
    uses: [assertion?.use, proof?.use].filter((use) => use !== undefined),
    keyNamed: parameters.has('req_cnf'),
    ...(subject !== undefined && { subject }),
    ...(proof?.freshNonce !== undefined && { dpopNonce: proof.freshNonce }),
  };
}

/** The keys proven in this request: by DPoP proof, by certificate, by client assertion. */
function provenKeys(
  request: OAuthRequest,
  { registration, assertion }: AuthenticatedClient,
  proof: DpopProof | undefined,
  now: number,
): readonly ProvenKey[] {
  const certificate = provenCertificate(request, registration, now);
  if (proof !== undefined && certificate !== undefined)
    throw new OAuthError('proof_and_certificate');
  // The certificate comes before the assertion, unless `req_cnf` says otherwise.
  const countsAssertion =
    registration.client_assertion_bound_access_tokens &&
    (certificate === undefined || request.parameters.has('req_cnf'));
  return [proof, certificate, countsAssertion ? assertion : undefined].filter(
    (key) => key !== undefined,
  );
}

function dpopProof(
  { dpop }: OAuthRequest,
  client: ClientRegistration,
  mechanisms: PossessionMechanisms,
): DpopProof | undefined {
  if (dpop.length > 0)
    return mechanisms.dpop(dpop, 'POST', mechanisms.nonceRequired || client.dpop_nonce_required);
  if (client.dpop_bound_access_tokens) throw new OAuthError('dpop_proof_missing');
  return undefined;
}

/** The certificate of the connection, if the client's tokens are bound to it (RFC 8705 §3.4). */
function provenCertificate(
  { clientCertificate }: OAuthRequest,
  client: ClientRegistration,
  now: number,
): ProvenKey | undefined {
  if (client.tls_client_certificate_bound_access_tokens !== true) return undefined;
  if (clientCertificate === undefined) throw new OAuthError('certificate_missing');
  if (!clientCertificate.validAt(now)) throw new OAuthError('certificate_not_valid');
  const { key, keySound, 'x5t#S256': thumbprint } = clientCertificate;
  if (!keySound) throw new OAuthError('certificate_key_unsupported');
  return { ...(key !== undefined && { key }), provenBy: 'tls_handshake', 'x5t#S256': thumbprint };
}

function onlyKey(proven: readonly ProvenKey[]): ProvenKey {
  const [first, ...others] = proven;
  if (first === undefined) throw new OAuthError('proof_missing');
  if (others.some((other) => recordedThumbprint(other) !== recordedThumbprint(first))) {
    throw new OAuthError('proven_keys_ambiguous');
  }
  return first;
}

async function namedKey(
  named: NamedKey,
  proven: readonly ProvenKey[],
  client: ClientRegistration,
  { registeredKey }: PossessionMechanisms,
): Promise<ProvenKey> {
  const jkt =
    'jkt' in named
      ? named.jkt
      : await provenThumbprintFor(named.kid, proven, client, registeredKey);
  if (jkt === undefined) throw new OAuthError('req_cnf_kid_unknown');
  const match = proven.find(({ key }) => key?.jkt === jkt);
  if (match === undefined) throw new OAuthError('req_cnf_not_proven');
  return match;
}

/** The proven key of the client with this `kid`, else any such key, else undefined. */
async function provenThumbprintFor(
  kid: string,
  proven: readonly ProvenKey[],
  client: ClientRegistration,
  registeredKey: PossessionMechanisms['registeredKey'],
): Promise<string | undefined> {
  let named: string | undefined;
  const isProven = ({ jkt }: PublicKey) => {
    named = jkt;
    return proven.some(({ key }) => key?.jkt === jkt);
  };
  try {
    return (await registeredKey(client, kid, isProven))?.jkt ?? named;
  } catch (cause) {
    throw new OAuthError('client_keys_unavailable', { cause });
  }
}
