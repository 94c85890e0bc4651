import type { Clock } from '../../domain/clock.ts';
import { OAuthError } from '../../domain/oauth-error.ts';
import { trustDomainOf } from '../../domain/trusted-issuer.ts';
import type { Ports } from '../../ports/ports.ts';
import type { Refusals } from '../../ports/refusals.ts';
import type { ClientCertificate } from '../../x509/client-certificate.ts';
import type { IssuerKeys } from './issuer-keys.ts';
import { firstRule, judgeRules, limitsOf, type MatchedWorkload } from './platform-tokens.ts';

export interface MatchSvidOptions extends Pick<Ports, 'trustedIssuers'> {
  readonly keys: IssuerKeys;
  readonly refusals: Pick<Refusals, 'ofWorkload'>;
  readonly clock: Clock;
}

/**
 * Verifies an X.509-SVID (SPIFFE X509-SVID §4, §5) against the bundle of its trust domain,
 * regardless of how the connection was verified, and finds its rule. Throws an OAuthError.
 */
export function matchSvid({ trustedIssuers, keys, refusals, clock }: MatchSvidOptions) {
  return async (certificate: ClientCertificate): Promise<MatchedWorkload> => {
    const now = clock();
    const [id = '', another] = certificate.alternativeNames('uri');
    const domain = another === undefined ? trustDomainOf(id) : undefined;
    if (
      domain === undefined ||
      id === domain ||
      !certificate.isSigningLeaf ||
      // An unsound key proves nothing: others can have signed the handshake.
      !certificate.keySound ||
      !certificate.validAt(now)
    )
      throw new OAuthError('svid_malformed');
    const issuer = await trustedIssuers.findTrustedIssuer(domain);
    if (
      issuer === undefined ||
      !issuer.purposes.includes('workload') ||
      !(await keys.hasAnchor(issuer, (anchor) => certificate.issuedBy(anchor, now)))
    )
      throw new OAuthError('svid_not_anchored');
    const claims = { sub: id };
    const rules = await trustedIssuers.findRules(issuer.id);
    const rule = firstRule(judgeRules(rules, 'platform_token', claims), issuer, id);
    if ('type' in rule) {
      refusals.ofWorkload(certificate['x5t#S256'], { ...rule, reason: 'svid_no_rule' });
      throw new OAuthError('svid_no_rule');
    }
    return { issuer, rule, claims, byRule: limitsOf(rule) };
  };
}
