import type { Config } from '../config/config.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { Ports } from '../ports/ports.ts';
import type { StatusListStore } from '../ports/status-list-store.ts';
import type { ActiveHolders } from '../protocol/access-token/active-holders.ts';
import type { TokenStatus } from '../protocol/access-token/token-status.ts';
import type { VerifyAccessToken } from '../protocol/access-token/verify-access-token.ts';
import type { RegisteredKeys } from '../protocol/client-keys/registered-keys.ts';
import { bind } from '../protocol/confirmation/binding.ts';
import { clientCredentials } from '../protocol/grant/client-credentials.ts';
import { subjectAccessToken } from '../protocol/grant/subject-access-token.ts';
import { subjectIdToken } from '../protocol/grant/subject-id-token.ts';
import { tokenExchange } from '../protocol/grant/token-exchange.ts';
import { validateGrant } from '../protocol/grant/validate-grant.ts';
import { issueAccessToken } from '../protocol/issuance/issue-access-token.ts';
import { recordProvenKeys } from '../protocol/issuance/record-proven-keys.ts';
import { type Endpoints, statusListUri } from '../protocol/metadata/endpoint-uris.ts';
import { type DpopOptions, dpop } from '../protocol/possession/dpop.ts';
import { proveAdditionalHolders } from '../protocol/possession/prove-additional-holders.ts';
import { provePossession } from '../protocol/possession/prove-possession.ts';
import { statusEntries } from '../protocol/status-list/status-entries.ts';
import type { TokenEndpointSteps } from '../protocol/token/token-endpoint.ts';

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
  readonly tokenStatus: TokenStatus;
  readonly activeHolders: ActiveHolders;
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
  tokenStatus,
  activeHolders,
}: TokenStepsOptions): Omit<TokenEndpointSteps, 'refusals' | 'authenticateClient'> {
  const { issuer, clockTolerance } = config;
  const { clock } = ports;
  return {
    validateGrant: validateGrant({
      client_credentials: clientCredentials(ports),
      'urn:ietf:params:oauth:grant-type:token-exchange': tokenExchange({
        ...ports,
        accessToken: subjectAccessToken({
          ...ports,
          verifyAccessToken,
          tokenStatus,
          activeHolders,
        }),
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
    proveAdditionalHolders: proveAdditionalHolders({
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
    issueAccessToken: recordProvenKeys(
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
