import type { PlatformTokenUse } from './refusals/trusted-issuer-tokens.ts';

/** A verified token of a platform, which can be shown repeatedly until it expires. */
export interface PlatformToken {
  readonly use: PlatformTokenUse;
  /** base64url SHA-256 of the token without its signature, of which anybody can create another. */
  readonly digest: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** True: it counts only with the first key that was proven with it. */
  readonly pin: boolean;
  /** Thumbprint of the key that the token itself is bound to (RFC 7800 §3.1). */
  readonly boundTo: string | undefined;
}

/** The rule of a trusted issuer that authenticated a client or gave a grant. */
export interface ByRule {
  /** Its id. */
  readonly rule: string;
  /** Maximum lifetime in seconds of a token issued by this rule. */
  readonly maxLifetime: number | undefined;
  /** The only audiences of a token issued by it, and of all derived from that. */
  readonly audiences: readonly string[] | undefined;
  /** Maximum scope of a token issued by it, space-separated. */
  readonly scope: string | undefined;
  /** Absent: the workload showed an X.509-SVID. */
  readonly token?: PlatformToken;
}

/** The subject that a platform's token stands for, by a rule with a subject. */
export interface Workload {
  readonly subject: string;
  /** The trusted issuer. */
  readonly issuer: { readonly id: string };
  readonly byRule: ByRule;
}
