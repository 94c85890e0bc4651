import { type ConsentRequest, cnfProof } from './additional-holders.ts';
import { checkedExchange, checkedTarget } from './check-options.ts';
import {
  type DelegatedToken,
  type DelegationRequest,
  type Delegator,
  delegationParameters,
  subjectTokenProof,
} from './delegation.ts';
import { HolderError } from './holder-error.ts';
import {
  type IdentityAssertion,
  type IdentityAssertionRequest,
  identityAssertion,
  identityAssertionRequest,
} from './identity-assertion.ts';
import { hidden } from './issued-token.ts';
import type { PublicJwk } from './keys/public-jwk.ts';
import { type HolderOptions, originsOf, type Target } from './options.ts';
import { type Presenter, presenter } from './presenter.ts';
import { requesterOf } from './requester.ts';
import { type Exchange, exchangeParameters } from './token-exchange.ts';
import { type Requester, requestAnswer, requestToken, type TokenRequest } from './token-request.ts';
import { givenToken, renewedTokens, type Tokens } from './tokens.ts';

/** The public key of a holder, ready for the `jwks` of a client registration. */
export interface RegistrableJwk extends PublicJwk {
  readonly kid: string;
  readonly alg: string;
  readonly use: 'sig';
}

/** A client with its own key that obtains tokens bound to the key and presents them. */
export interface Holder extends Presenter {
  readonly clientId: string;
  /** RFC 7638 thumbprint of the key; undefined if the holder has only a certificate. */
  readonly thumbprint: string | undefined;
  /** `x5t#S256` of the certificate that tokens are bound to (RFC 8705 §3.1). */
  readonly certificateThumbprint: string | undefined;
  readonly publicJwk: RegistrableJwk | undefined;
  /** Presents tokens of this holder for another resource or scope. */
  for(target: Target): Presenter;
  /** Exchanges a token (RFC 8693) for one that is bound to this holder's key. */
  exchange(exchange: Exchange): Presenter;
  /**
   * Exchanges a user's ID token for a grant at another authorization server that only this holder's
   * key can use (ID-JAG).
   */
  identityAssertion(request: IdentityAssertionRequest): Promise<IdentityAssertion>;
  /** Presents a token that another holder obtained and that also names this holder's key. */
  withToken(accessToken: string, target?: Pick<Target, 'resource' | 'origins'>): Presenter;
  /**
   * Creates a `cnf-proof+jwt`: this holder's consent to be named in the other one's token. Only
   * sign for a client whose session you have checked.
   */
  proveFor(other: ConsentRequest): Promise<string>;
  /**
   * Lets another client act for this one, once: returns the token (default: this holder's) and a
   * proof by its key for this actor. Only sign for a client whose session you have checked.
   */
  proveDelegation(actor: DelegationRequest, accessToken?: string): Promise<DelegatedToken>;
  /** Acts for another client: the tokens are bound to this holder's key and name it in `act`. */
  actFor(delegator: Delegator, target?: Target): Presenter;
}

const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/**
 * Opens the key and prepares the holder; the server is contacted when a token is first needed.
 * Throws HolderError.
 */
export async function createHolder(options: HolderOptions): Promise<Holder> {
  const requester = await requesterOf(options);
  const { key, certificateThumbprint, clientId, clock, allowInsecureRequests } = requester;
  const { additionalHolders = [] } = options;
  const kid = options.kid ?? key?.thumbprint ?? '';
  const present = (tokens: Tokens, target: Target): Presenter =>
    presenter({
      ...requester,
      tokens,
      origins: originsOf(target),
      allowInsecureRequests,
      byCertificate: certificateThumbprint !== undefined,
    });
  const known = new Map<string, Tokens>();
  const obtained = (target: Target): Presenter => {
    const { resource, scope } = target;
    const name = JSON.stringify([resource, scope]);
    const request = { grantType: 'client_credentials', target: { resource, scope } };
    const tokens =
      known.get(name) ??
      renewedTokens(() => requestToken(requester, { ...request, additionalHolders }), clock);
    known.set(name, tokens);
    return present(tokens, target);
  };
  const exchanged = (
    asked: Pick<TokenRequest, 'target' | 'additionalHolders'>,
    parameters: () => Promise<Pick<TokenRequest, 'parameters' | 'boundToken'>>,
    target: Target,
  ): Presenter => {
    const request = async () =>
      requestToken(requester, { grantType: exchangeGrant, ...asked, ...(await parameters()) });
    return present(renewedTokens(request, clock), target);
  };
  const own = obtained(options);
  return {
    ...own,
    clientId,
    thumbprint: key?.thumbprint,
    certificateThumbprint,
    publicJwk: key && { ...key.publicJwk, kid, alg: key.alg, use: 'sig' },
    for: (target) =>
      obtained(
        checkedTarget(target).resource === undefined ? { ...targetOf(options), ...target } : target,
      ),
    exchange(exchange) {
      const origins = exchange.resource === undefined ? targetOf(options) : {};
      const asked = { target: checkedExchange(exchange), additionalHolders };
      const target = { ...origins, ...exchange };
      return exchanged(asked, async () => exchangeParameters(exchange), target);
    },
    async identityAssertion(asked) {
      const request = { grantType: exchangeGrant, ...identityAssertionRequest(asked) };
      return identityAssertion(await requestAnswer(requester, request), key?.thumbprint, clock());
    },
    withToken: (accessToken, target = targetOf(options)) =>
      present(
        givenToken(tokenOfAnother(accessToken, certificateThumbprint)),
        checkedTarget(target),
      ),
    actFor(delegator, target = targetOf(options)) {
      const { resource } = checkedTarget(target);
      const actor = { clientId, thumbprint: key?.thumbprint, certificateThumbprint, resource };
      const parameters = async () =>
        delegationParameters(delegator, actor, (await own.token()).accessToken);
      return exchanged({ target, additionalHolders: [] }, parameters, target);
    },
    ...consents(requester, options, own, kid),
  };
}

/** The consents that the holder signs for other clients. */
function consents(
  { key, certificateThumbprint, offsets, clientId }: Requester,
  { issuer }: HolderOptions,
  own: Presenter,
  kid: string,
): Pick<Holder, 'proveFor' | 'proveDelegation'> {
  const signer = () => {
    if (key === undefined) throw new HolderError('invalid_options', 'this holder has no key');
    return { key, issuer, now: offsets.seconds(new URL(issuer)) };
  };
  const byCertificate = certificateThumbprint !== undefined;
  return {
    proveFor: async (other) => cnfProof({ ...signer(), clientId, kid, byCertificate }, other),
    async proveDelegation(actor, accessToken) {
      const subjectToken = accessToken ?? (await own.token()).accessToken;
      const proof = await subjectTokenProof(subjectToken, actor, signer());
      return { subjectToken, subjectTokenProof: proof };
    },
  };
}

function targetOf({ resource, scope, origins }: HolderOptions): Target {
  return {
    ...(resource !== undefined && { resource }),
    ...(scope !== undefined && { scope }),
    ...(origins !== undefined && { origins }),
  };
}

function tokenOfAnother(accessToken: string, certificateThumbprint: string | undefined) {
  const scheme = certificateThumbprint === undefined ? ('DPoP' as const) : ('Bearer' as const);
  return hidden(accessToken, {
    tokenType: scheme,
    expiresAt: undefined,
    scope: undefined,
    presentation: { scheme },
    renewAt: Number.POSITIVE_INFINITY,
  });
}
