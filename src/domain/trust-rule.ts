import type { ClientRegistration, ListedClients } from './client-registration.ts';

/** What a claim must be: a text with `*` at its end for any further characters, or as it says. */
export type ClaimCondition =
  | string
  | number
  | boolean
  | { readonly exact: string }
  | { readonly prefix: string };

/** What a token of a trusted issuer must say, and for whom it then stands. */
export interface TrustRule {
  readonly id: string;
  readonly trusted_issuer_id: string;
  readonly name?: string;
  /** The lowest is looked at first; of two with the same, the older one. */
  readonly priority: number;
  /** By JSON Pointer (RFC 6901) or quoted path; every one must hold. */
  readonly claims: Readonly<Record<string, ClaimCondition>>;
  /**
   * The client that the token authenticates. Beside `subject`: the client that must authenticate
   * to get a token for this subject.
   */
  readonly client_id?: string;
  /**
   * For which registration the name in `client_id` stood when the rule was made. As the operator
   * sees it, empty once that is deleted: the rule is then for nobody.
   */
  readonly listed: ListedClients;
  /** A template over claims, such as `{/kubernetes.io/namespace}`: whom the grant is for. */
  readonly subject?: string;
  /** Most that a token has by this rule: scope, audiences, seconds of life. */
  readonly scope?: string;
  readonly resources?: readonly string[];
  readonly access_token_lifetime?: number;
  /** True: a token counts only with the first key that was proven with it. */
  readonly pin?: boolean;
}

const ruleClientPrefix = 'urn:holdfast:rule:';

/** Whether this names a rule: no client can be registered under it. */
export function isRuleClientId(clientId: string): boolean {
  return clientId.startsWith(ruleClientPrefix);
}

/**
 * The client that a workload is for which none is registered. Its tokens are bound to the
 * certificate of the connection where `byCertificate` says so.
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

/** A client with no more scope and audiences than the rule has. */
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
