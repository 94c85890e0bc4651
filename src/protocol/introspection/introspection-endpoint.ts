import { tokenTypeOf } from '../../domain/confirmation.ts';
import { defined } from '../../domain/defined.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import type { ResourceServer } from '../../domain/resource-server.ts';
import type { authenticateCaller } from '../client-authentication/authenticate-caller.ts';
import type { activeToken } from './active-token.ts';
import type { checkPresentedProof, ProofVerdict } from './check-presented-proof.ts';

export interface IntrospectionEndpointSteps {
  readonly authenticateCaller: ReturnType<typeof authenticateCaller>;
  readonly activeToken: ReturnType<typeof activeToken>;
  readonly checkPresentedProof: ReturnType<typeof checkPresentedProof>;
}

/** An introspection response (RFC 7662 §2.2), and the resource server that it is for. */
export interface Introspection {
  readonly response: { readonly active: boolean };
  /** Absent for a client, which is entitled to nothing. */
  readonly resourceServer?: ResourceServer;
  /** The result for the presented proof: `valid`, or the reason why not. */
  readonly proof?: string;
}

/** Answers an introspection request (RFC 7662 §2). All inactive tokens look the same. */
export function introspectionEndpoint(
  steps: IntrospectionEndpointSteps,
): (request: OAuthRequest) => Promise<Introspection> {
  return async (request) => {
    const caller = await steps.authenticateCaller(request);
    const token = request.parameters.get('token');
    if (token === undefined) throw new OAuthError('token_missing');
    if (!('resourceServer' in caller)) return { response: { active: false } };
    const { resourceServer } = caller;
    const claims = await steps.activeToken(token, resourceServer);
    if (claims === undefined) return { response: { active: false }, resourceServer };
    const proof = await steps.checkPresentedProof(
      presentedProof(request.parameters),
      token,
      claims,
    );
    if (resourceServer.introspection_requires_proof === true && proof?.valid !== true)
      return {
        response: { active: false, ...asksForNonce(proof) },
        resourceServer,
        ...outcomeOf(proof),
      };
    return {
      response: {
        active: true,
        token_type: tokenTypeOf(claims.cnf),
        ...claims,
        ...(proof !== undefined && { proof }),
      },
      resourceServer,
      ...outcomeOf(proof),
    } as Introspection;
  };
}

function outcomeOf(proof: ProofVerdict | undefined): Pick<Introspection, 'proof'> {
  return proof === undefined ? {} : { proof: proof.valid ? 'valid' : (proof.reason ?? 'other') };
}

/** An inactive token has no members (RFC 7662 §2.2), but the nonce must reach the presenter. */
function asksForNonce(proof: ProofVerdict | undefined): { readonly proof?: ProofVerdict } {
  return proof?.nonce === undefined ? {} : { proof };
}

function presentedProof(parameters: OAuthRequest['parameters']) {
  const [dpopProof, htm, htu, clientCertificate] = [
    'dpop_proof',
    'htm',
    'htu',
    'client_certificate',
  ].map((name) => parameters.get(name));
  return defined({ dpopProof, htm, htu, clientCertificate });
}
