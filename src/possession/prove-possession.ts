import type { AuthenticatedClient, ClientRegistration } from '../client-registration.ts';
import type { PublicKey } from '../jose/public-key.ts';
import { OAuthError } from '../oauth-error.ts';
import type { SingleUse } from '../ports.ts';
import type { Proof, ProvenKey } from '../proven-key.ts';
import type { TokenRequest } from '../token-request.ts';
import type { DpopProof } from './dpop.ts';
import { type NamedKey, readReqCnf } from './req-cnf.ts';

/** The key that the token will be bound to, and everything that issuing it uses up. */
export interface Possession {
  readonly boundKey: ProvenKey;
  readonly uses: readonly SingleUse[];
  readonly dpopNonce?: string;
}

/** The step of the token endpoint. */
export type ProvePossession = (request: TokenRequest, client: AuthenticatedClient) => Promise<Possession>;

/** The ways to prove a key that are switched on. */
export interface PossessionMechanisms {
  readonly dpop: (fields: readonly string[], method: string, nonceRequired: boolean) => DpopProof;
  /** True: every client needs a nonce in its proof. */
  readonly nonceRequired: boolean;
  /** A registered key of the client by `kid`. */
  readonly registeredKey: (client: ClientRegistration, kid: string) => Promise<PublicKey | undefined>;
}

/**
 * Collects the keys proven in this request and chooses the one to bind: the key that `req_cnf` names, else the only one there is.
 * No proven key, no token: bearer tokens do not exist here. Throws OAuthError.
 */
export function provePossession(mechanisms: PossessionMechanisms): ProvePossession {
  return async (request, client) => {
    const { registration, assertion } = client;
    const proof =
      request.dpop.length === 0 ? undefined : mechanisms.dpop(request.dpop, 'POST', mechanisms.nonceRequired || registration.dpop_nonce_required);
    if (proof === undefined && registration.dpop_bound_access_tokens) {
      throw new OAuthError('invalid_request', 'the client is registered to send a DPoP proof', { reason: 'proof_missing' });
    }
    const proven: Proof[] = [];
    if (proof !== undefined) proven.push(proof);
    if (assertion !== undefined && registration.client_assertion_bound_access_tokens) proven.push(assertion);

    const reqCnf = request.parameters.get('req_cnf');
    const boundKey = reqCnf === undefined ? onlyKey(proven) : await namedKey(readReqCnf(reqCnf), proven, registration, mechanisms);
    const uses = [assertion?.use, proof?.use].filter((use) => use !== undefined);
    return { boundKey, uses, ...(proof?.freshNonce !== undefined && { dpopNonce: proof.freshNonce }) };
  };
}

function onlyKey(proven: readonly ProvenKey[]): ProvenKey {
  const [first, ...others] = proven;
  if (first === undefined)
    throw new OAuthError('invalid_request', 'a proof of possession is required, for this server issues no bearer tokens', {
      reason: 'proof_missing',
    });
  if (others.some(({ key }) => key.jkt !== first.key.jkt)) {
    throw new OAuthError('invalid_request', 'two different keys are proven and req_cnf does not say which to bind', {
      reason: 'proven_keys_ambiguous',
    });
  }
  return first;
}

async function namedKey(
  named: NamedKey,
  proven: readonly ProvenKey[],
  client: ClientRegistration,
  { registeredKey }: PossessionMechanisms,
): Promise<ProvenKey> {
  const jkt = 'jkt' in named ? named.jkt : (await registeredKey(client, named.kid))?.jkt;
  if (jkt === undefined)
    throw new OAuthError('unsupported_pop_key', 'req_cnf names a key that the client has not registered', { reason: 'req_cnf_kid_unknown' });
  const match = proven.find(({ key }) => key.jkt === jkt);
  if (match === undefined)
    throw new OAuthError('failed_pop_verification', 'req_cnf does not match a key proven in this request', { reason: 'req_cnf_not_proven' });
  return match;
}
