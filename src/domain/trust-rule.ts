import type { ClientRegistration, ListedClients } from './client-registration.ts';

/** What a claim must be: a text, in which a final `*` matches any rest, or the given value. */
export type ClaimCondition =
  | string
  | number
  | boolean
  | { readonly exact: string }
  | { readonly prefix: string };

/** What a token of a trusted issuer must say, and what it then stands for. */
export interface TrustRule {
  readonly id: string;
  readonly trusted_issuer_id: string;
  readonly name?: string;
  /** The lowest is tried first; of two equal ones, the older. */
  readonly priority: number;
  /** Keyed by JSON Pointer (RFC 6901) or quoted path; all of them must hold. */
  readonly claims: Readonly<Record<string, ClaimCondition>>;
  /**
   * The client that the token authenticates. Beside `subject`: the client that must authenticate
   * to get a token for this subject.
   */
  readonly client_id?: string;
  /**
   * The registration that `client_id` meant when the rule was created. The operator sees it empty
   * after that client is deleted; the rule then matches nobody.
   */
  readonly listed: ListedClients;
  /** A template over claims, such as `{/kubernetes.io/namespace}`, for the subject of the grant. */
  readonly subject?: string;
  /** Maximum scope, audiences and lifetime in seconds of a token issued by this rule. */
  readonly scope?: string;
  readonly resources?: readonly string[];
  readonly access_token_lifetime?: number;
  /** True: a token counts only with the first key that was proven with it. */
  readonly pin?: boolean;
}

const ruleClientPrefix = 'urn:holdfast:rule:';

/** Whether this is the name of a rule; no client can be registered under it. */
export function isRuleClientId(clientId: string): boolean {
  return clientId.startsWith(ruleClientPrefix);
}

/**
 * The client for a workload without a registered one. Its tokens are bound to the certificate of
 * the connection if `byCertificate` is true.
 */
export function ruleClient(
  { id, scope, resources }: Pick<TrustRule, 'id' | 'scope' | 'resources'>,
  byCertificate = false,
): ClientRegistration {
  return {
    client_id: ruleClientPrefix + id,
    registration_id: id,
    token_endpoint_auth_method: 'workload_jwt',
    grant_types: ['urn:ietf:params:oauth:grant-type:jwt-bearer'],
    ...(scope !== undefined && { scope }),
    ...(resources !== undefined && { resources }),
    tls_client_certificate_bound_access_tokens: byCertificate,
    dpop_bound_access_tokens: false,
    dpop_nonce_required: false,
    client_assertion_bound_access_tokens: false,
    disabled: false,
    clientSecrets: [],
    listed: new Map(),
  };
}

/** The client, limited to the scope and audiences of the rule. */
export function withinRule(
  client: ClientRegistration,
  { scope, resources }: Pick<TrustRule, 'scope' | 'resources'>,
): ClientRegistration {
  const had = new Set(client.scope?.split(' '));
  const kept = scope?.split(' ').filter((one) => had.has(one));
  const { resources: own } = client;
  return {
    ...client,
    ...(kept !== undefined && { scope: kept.join(' ') }),
    ...(resources !== undefined && {
      resources: own === undefined ? resources : own.filter((one) => resources.includes(one)),
    }),
  };
}
