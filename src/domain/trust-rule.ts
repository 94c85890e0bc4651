import type { ListedClients } from './client-registration.ts';

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
  /** For which registration the name in `client_id` stood when the rule was made. */
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

/** A token of a trusted issuer that met a rule. */
export interface PlatformToken {
  readonly rule: TrustRule;
  /** base64url SHA-256 of the token without its signature, of which anybody can make another. */
  readonly digest: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** Thumbprint of the key that the token is bound to itself (RFC 7800 §3.1). */
  readonly boundTo?: string;
}

const ruleClientPrefix = 'urn:holdfast:rule:';

/** The `client_id` of a workload that no client is registered for. */
export function ruleClientId(rule: string): string {
  return ruleClientPrefix + rule;
}

/** Whether this names a rule: no client can be registered under it. */
export function isRuleClientId(clientId: string): boolean {
  return clientId.startsWith(ruleClientPrefix);
}
