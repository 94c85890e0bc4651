import type { PlatformTokenUse } from './refusals/issued-tokens.ts';

/** A verified token of a platform, which is shown many times in its life. */
export interface PlatformToken {
  readonly use: PlatformTokenUse;
  /** base64url SHA-256 of the token without its signature, of which anybody can make another. */
  readonly digest: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** True: it counts only with the first key that was proven with it. */
  readonly pin: boolean;
  /** Thumbprint of the key that the token is bound to itself (RFC 7800 §3.1). */
  readonly boundTo: string | undefined;
}

/** By which rule of a trusted issuer a client was authenticated, or a grant given. */
export interface ByRule {
  /** Its id. */
  readonly rule: string;
  /** Most seconds that a token lives by it. */
  readonly maxLifetime: number | undefined;
  /** Absent: the workload showed an X.509-SVID. */
  readonly token?: PlatformToken;
}

/** Whom a token of a platform stands for, by a rule with a subject. */
export interface Workload {
  readonly subject: string;
  readonly byRule: ByRule;
}
