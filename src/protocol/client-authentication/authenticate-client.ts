import {
  type AuthenticatedClient,
  type ClientRegistration,
  grantTypes,
} from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import type { OAuthRequest } from '../../domain/oauth-request.ts';
import type { Proof } from '../../domain/proven-key.ts';
import type { Ports } from '../../ports/ports.ts';
import type { ClientCertificate } from '../../x509/client-certificate.ts';
import { matchingSecret } from './client-secret.ts';
import { type RequestWithCredentials, readCredentials } from './credentials.ts';
import { readAssertion, type UnverifiedAssertion } from './private-key-jwt.ts';
import type { WorkloadAuthentication } from './workload.ts';

const knownGrantTypes: ReadonlySet<string | undefined> = new Set(grantTypes);

/** Authenticates the client. Reads only. Throws `invalid_client` or `invalid_request`. */
export type AuthenticateClient = (request: RequestWithCredentials) => Promise<AuthenticatedClient>;

export interface ClientAuthenticationOptions
  extends Pick<Ports, 'clients' | 'currentClients' | 'clock'> {
  readonly privateKeyJwt: (
    assertion: UnverifiedAssertion,
    client: ClientRegistration,
  ) => Promise<Proof>;
  readonly tlsClientAuth: (
    certificate: ClientCertificate,
    client: ClientRegistration,
    now: number,
  ) => Promise<boolean>;
  readonly workloads: WorkloadAuthentication;
  /** False: nothing proves a key here, so a token that can be shown repeatedly is not enough. */
  readonly keysAreProven: boolean;
}

/** Picks the method by the credentials; the client must be registered for it. */
export function authenticateClient({
  clients,
  currentClients,
  clock,
  privateKeyJwt,
  tlsClientAuth,
  workloads,
  keysAreProven,
}: ClientAuthenticationOptions): AuthenticateClient {
  return async (request) => {
    const credentials = readCredentials(request);
    if (credentials.method === 'private_key_jwt') {
      const assertion = readAssertion(credentials.assertion);
      if (credentials.clientId !== undefined && credentials.clientId !== assertion.clientId)
        throw new OAuthError('assertion_client_id_mismatch');
      const client = admit(await clients.findClient(assertion.clientId), 'private_key_jwt');
      return { registration: client, assertion: await privateKeyJwt(assertion, client) };
    }
    if (credentials.method === 'platform_token' || credentials.method === 'grant') {
      if (!keysAreProven) throw new OAuthError('platform_token_without_proof');
      if (credentials.method === 'grant') return workloads.byGrant(request);
      return workloads.byToken(credentials.assertion, credentials.clientId);
    }
    const client = await clients.findClient(credentials.clientId);
    if (credentials.method === 'tls') {
      const { clientId } = credentials;
      const isSvid =
        client?.token_endpoint_auth_method === 'spiffe_x509' ||
        (client === undefined && clientId.startsWith('spiffe://'));
      if (isSvid && request.clientCertificate !== undefined)
        return workloads.bySvid(request.clientCertificate, clientId);
      const method =
        client?.token_endpoint_auth_method === 'tls_client_auth'
          ? 'tls_client_auth'
          : 'self_signed_tls_client_auth';
      const byTls = admit(client, method);
      const { clientCertificate } = request;
      if (
        clientCertificate === undefined ||
        !(await tlsClientAuth(clientCertificate, byTls, clock()))
      )
        throw new OAuthError('certificate_mismatch');
      return {
        registration: byTls,
        credential: { kind: 'certificate', identifier: clientCertificate['x5t#S256'] },
      };
    }
    const secret = matchingSecret(
      client?.clientSecrets ?? [],
      credentials.clientSecret,
      clock() / 1000,
    );
    // Only existing clients are cached, so an unknown name costs a store access. A wrong secret
    // costs one too, so that the time of a refusal does not reveal whether a client exists.
    if (secret === undefined && client !== undefined)
      await currentClients.findClient(credentials.clientId);
    const admitted = admit(client, credentials.method);
    if (secret === undefined) throw new OAuthError('client_secret_mismatch');
    return { registration: admitted, credential: { kind: 'secret', identifier: secret.id } };
  };
}

/**
 * Refuses a token request with a secret but no key proof before checking secret and client:
 * libraries retry the secret in another place after any refusal, and the user sees only the last
 * one. The answer is the same for every client and secret, so it reveals nothing.
 */
export function requiringProof<Caller>(
  authenticate: (request: OAuthRequest) => Promise<Caller>,
): (request: OAuthRequest) => Promise<Caller> {
  return async (request) => {
    const { dpop, clientCertificate, parameters } = request;
    if (
      dpop.length === 0 &&
      clientCertificate === undefined &&
      knownGrantTypes.has(parameters.get('grant_type')) &&
      'clientSecret' in readCredentials(request)
    )
      throw new OAuthError('proof_missing');
    return authenticate(request);
  };
}

/** The client, if it is registered for this method; an assertion has a separate error message. */
function admit(
  client: ClientRegistration | undefined,
  method: ClientRegistration['token_endpoint_auth_method'],
): ClientRegistration {
  const signed = method === 'private_key_jwt';
  if (client === undefined)
    throw new OAuthError(signed ? 'assertion_client_unknown' : 'client_unknown');
  if (client.disabled)
    throw new OAuthError(signed ? 'assertion_client_disabled' : 'client_disabled');
  if (!isRegisteredFor(client, method))
    throw new OAuthError(signed ? 'assertion_method_not_registered' : 'auth_method_not_registered');
  return client;
}

// RFC 7591 §2 has a default for clients that name no method; many libraries try the other first.
function isRegisteredFor(
  { token_endpoint_auth_method: registered, secret_in_either_place }: ClientRegistration,
  method: ClientRegistration['token_endpoint_auth_method'],
): boolean {
  return (
    registered === method || (secret_in_either_place === true && method === 'client_secret_post')
  );
}
