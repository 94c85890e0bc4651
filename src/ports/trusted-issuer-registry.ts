import type { TrustRule } from '../domain/trust-rule.ts';
import type { TrustedIssuer } from '../domain/trusted-issuer.ts';
import type { Registry } from './registry.ts';

/**
 * Trusted issuers as the admin sees them. Removing one also removes its rules and revokes what was
 * issued on its word.
 */
export interface TrustedIssuerRegistry extends Registry<TrustedIssuer> {
  /** The rules of one issuer; `create` returns `conflict` if the issuer no longer exists. */
  rulesOf(trustedIssuerId: string): Registry<TrustRule>;
}
