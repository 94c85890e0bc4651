import {
  type AuthenticatedClient,
  type ClientRegistration,
  names,
  type TokenEndpointAuthMethod,
} from '../../domain/client-registration.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import { ruleClient, withinRule } from '../../domain/trust-rule.ts';
import type { Ports } from '../../ports/ports.ts';
import type { ClientCertificate } from '../../x509/client-certificate.ts';
import {
  type MatchedWorkload,
  type MatchPlatformToken,
  subjectOfMatch,
} from '../trusted-issuers/platform-tokens.ts';
import type { RequestWithCredentials } from './credentials.ts';

/** Authenticates workloads by the credentials from their platform. All throw an OAuthError. */
export interface WorkloadAuthentication {
  /** Authenticates by a token in `client_assertion` (RFC 7523 §2.2). */
  byToken(assertion: string, clientId: string | undefined): Promise<AuthenticatedClient>;
  /** Authenticates by an X.509-SVID (draft-ietf-oauth-spiffe-client-auth). */
  bySvid(certificate: ClientCertificate, clientId: string): Promise<AuthenticatedClient>;
  /** Authenticates an unregistered client by the token that is the grant (RFC 7523 §2.1). */
  byGrant(request: RequestWithCredentials): Promise<AuthenticatedClient>;
}

export interface WorkloadAuthenticationOptions extends Pick<Ports, 'clients'> {
  readonly match: MatchPlatformToken;
  readonly matchSvid: (certificate: ClientCertificate) => Promise<MatchedWorkload>;
}

/** Finds a rule's client, if it is still the one that the rule means and may use this method. */
export function workloadAuthentication({
  clients,
  match,
  matchSvid,
}: WorkloadAuthenticationOptions): WorkloadAuthentication {
  const admit = async (
    { rule, byRule, claims }: MatchedWorkload,
    methods: readonly TokenEndpointAuthMethod[],
    kind: 'platform_token' | 'svid',
    clientId: string | undefined,
  ): Promise<{ registration: ClientRegistration; byRule: MatchedWorkload['byRule'] }> => {
    const { client_id: named = '' } = rule;
    const client = await clients.findClient(named);
    if (
      client === undefined ||
      client.disabled ||
      !names([named], rule.listed, client) ||
      !methods.includes(client.token_endpoint_auth_method)
    )
      throw new OAuthError(`${kind}_client_unusable`);
    // The draft lets a workload call itself by its SPIFFE ID.
    if (clientId !== undefined && clientId !== named && !isSpiffeId(clientId, claims))
      throw new OAuthError(`${kind}_client_id_mismatch`);
    return { registration: withinRule(client, rule), byRule };
  };
  return {
    async byToken(assertion, clientId) {
      const matched = await match(assertion, 'platform_token');
      const isSpiffe = matched.issuer.issuer.startsWith('spiffe://');
      const methods = isSpiffe
        ? (['workload_jwt', 'spiffe_jwt'] as const)
        : ['workload_jwt' as const];
      return admit(matched, methods, 'platform_token', clientId);
    },
    async bySvid(certificate, clientId) {
      const matched = await matchSvid(certificate);
      const client = await admit(matched, ['spiffe_x509'], 'svid', clientId);
      const identifier = certificate['x5t#S256'];
      return { ...client, credential: { kind: 'certificate', identifier } };
    },
    async byGrant({ parameters, clientCertificate }) {
      const assertion = parameters.get('assertion');
      if (assertion === undefined) throw new OAuthError('grant_assertion_missing');
      const matched = await match(assertion, 'grant_assertion');
      const { rule, byRule, issuer } = matched;
      if (rule.client_id !== undefined) throw new OAuthError('grant_assertion_client_mismatch');
      const subject = subjectOfMatch(matched);
      if (subject === undefined) throw new OAuthError('grant_assertion_subject_invalid');
      const registration = ruleClient(rule, clientCertificate !== undefined);
      const clientId = parameters.get('client_id') ?? registration.client_id;
      if (clientId !== registration.client_id)
        throw new OAuthError('grant_assertion_client_mismatch');
      return { registration, byRule, workload: { subject, byRule, issuer } };
    },
  };
}

function isSpiffeId(clientId: string, { sub }: MatchedWorkload['claims']): boolean {
  return clientId === sub && clientId.startsWith('spiffe://');
}
