import { issueAccessToken } from './access-token/issue-access-token.ts';
import type { LiveHolders } from './access-token/live-holders.ts';
import { rememberProvenKeys } from './access-token/remember-proven-keys.ts';
import type { TokenInForce } from './access-token/token-in-force.ts';
import type { VerifyAccessToken } from './access-token/verify-access-token.ts';
import type { Config } from './config.ts';
import { bind } from './confirmation/binding.ts';
import { type Endpoints, statusListUri } from './endpoints.ts';
import { clientCredentials } from './grant/client-credentials.ts';
import { subjectAccessToken } from './grant/subject-access-token.ts';
import { subjectIdToken } from './grant/subject-id-token.ts';
import { tokenExchange } from './grant/token-exchange.ts';
import { validateGrant } from './grant/validate-grant.ts';
import type { Ports } from './ports.ts';
import { type DpopOptions, dpop } from './possession/dpop.ts';
import { proveFurtherHolders } from './possession/prove-further-holders.ts';
import { provePossession } from './possession/prove-possession.ts';
import type { RegisteredKeys } from './registered-keys.ts';
import type { SigningKeys } from './signing-keys/signing-keys.ts';
import { statusEntries } from './status-list/status-entries.ts';
import type { StatusListStore } from './status-list/status-list-store.ts';
import type { TokenEndpointSteps } from './token-endpoint.ts';

/** What the steps stand on; what other endpoints use too is made once. */
export interface TokenStepsOptions {
  readonly config: Config;
  readonly endpoints: Endpoints;
  readonly ports: Ports;
  readonly keys: RegisteredKeys;
  readonly signingKeys: Pick<SigningKeys, 'current'>;
  readonly statusLists: StatusListStore;
  /** How DPoP proofs are judged, wherever they come in. */
  readonly proofs: Omit<DpopOptions, 'endpoint' | 'alias'>;
  readonly verifyAccessToken: VerifyAccessToken;
  readonly tokenInForce: TokenInForce;
  readonly liveHolders: LiveHolders;
}

/** The steps of the token endpoint behind client authentication: which grants, proofs of possession and confirmations exist. */
export function tokenSteps({
  config,
  endpoints,
  ports,
  keys,
  signingKeys,
  statusLists,
  proofs,
  verifyAccessToken,
  tokenInForce,
  liveHolders,
}: TokenStepsOptions): Omit<TokenEndpointSteps, 'refusals' | 'authenticateClient'> {
  const { issuer, clockTolerance } = config;
  const { clock } = ports;
  return {
    validateGrant: validateGrant({
      client_credentials: clientCredentials(ports),
      'urn:ietf:params:oauth:grant-type:token-exchange': tokenExchange({
        ...ports,
        accessToken: subjectAccessToken({ ...ports, verifyAccessToken, tokenInForce, liveHolders }),
        // RS256 besides: OpenID providers must offer it, and few sign by anything else.
        idToken: subjectIdToken({
          ...ports,
          keys,
          algs: [...config.assertionAlgs, 'RS256'],
          clockTolerance,
          maxAge: config.idTokenMaxAge,
        }),
      }),
    }),
    provePossession: provePossession({
      dpop: dpop({
        ...proofs,
        endpoint: endpoints.token,
        ...(endpoints.mtls !== undefined && { alias: endpoints.mtls.token }),
      }),
      clock,
      nonceRequired: config.dpopNonceRequired,
      registeredKey: keys.signer,
    }),
    proveFurtherHolders: proveFurtherHolders({
      ...ports,
      keys,
      cnfProof: {
        clock,
        nonces: proofs.nonces,
        issuer,
        algs: config.dpopAlgs,
        maxLifetime: config.cnfProofMaxLifetime,
        clockTolerance,
      },
      nonceRequired: config.dpopNonceRequired,
      max: config.altCnfMax,
      registeredKeyMaxAge: config.altCnfRegisteredKeyMaxAge,
    }),
    bind: bind({ issuer, clientEncryptionKey: keys.encryptionKey }),
    issueAccessToken: rememberProvenKeys(
      issueAccessToken({
        ...ports,
        issuer,
        signingKey: signingKeys.current,
        severalKeysMaxLifetime: config.altCnfMaxLifetime,
        statusEntry: statusEntries({
          store: statusLists,
          clock,
          tokenLifetime: config.accessTokenMaxLifetime + clockTolerance,
        }),
        statusListUri: statusListUri(endpoints),
      }),
      ports,
    ),
  };
}
